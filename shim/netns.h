/* SPDX-License-Identifier: Apache-2.0 */
/* Work inside another network namespace, done by a short-lived child. */
#ifndef SHIM_NETNS_H
#define SHIM_NETNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/io.h"

#define NETNS_MAX_REPLY 49152u

/* Which namespace a path meant; a path may be another's later. */
struct netns_id {
	dev_t dev;
	ino_t ino;
};

struct netns_reply {
	uint8_t data[NETNS_MAX_REPLY];
	size_t size;
	int fds[IO_MAX_FDS]; /* the receiver's */
	size_t n_fds;
};

/*
 * Opens a network namespace by path. -EINVAL where it is none, or the host's, our own: a pod is never
 * joined to that. Returns the fd.
 */
int netns_open(const char *path, struct netns_id *ret_id, struct err *err);

/*
 * Runs fn in a child inside the namespace and waits for it, at most ten seconds. What fn puts into
 * the reply, descriptors too, comes back in *reply (all zero before); so does its error.
 */
int netns_run(int netns_fd, int (*fn)(void *data, struct netns_reply *reply, struct err *err),
	      void *data, struct netns_reply *reply, struct err *err);

#endif
