/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the slow steps of building an image run in a child process, in a user
 * namespace where the caller is not root. The caller meanwhile shows progress and watches the
 * store's file system: an image that would fill it (a few kilobytes can unpack to terabytes) is
 * ended while there is still room. Child and helpers die with the caller; the signals of a terminal
 * reach all of them.
 */
#ifndef SHIM_IMAGE_JOB_H
#define SHIM_IMAGE_JOB_H

#include <stddef.h>

#include "common/err.h"

struct image_userns;

struct image_job {
	/* In the child, in directory dirfd. Returns 0 or a negative code with err filled. */
	int (*run)(void *arg, struct err *err);
	void *arg;
	void *result; /* part of arg that the child fills and the caller wants; NULL: none */
	size_t result_size;
	int dirfd;
	const struct image_userns *userns; /* NULL: the caller's own rights */
	/* "building oci:/srv/debian", for the progress line; NULL: it is quick, or makes room. */
	const char *doing;
};

int image_job_run(const struct image_job *job, struct err *err);

#endif
