/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first half of `sbx run`: from options to an image, an environment, a config.json and a pod's
 * directory that is ours. Nothing runs yet.
 */
#ifndef SHIM_RUN_PREPARE_H
#define SHIM_RUN_PREPARE_H

#include "common/err.h"
#include "shim/image.h"
#include "shim/pod_dir.h"
#include "shim/run_options.h"

struct run {
	struct run_options options;
	struct image image;
	char id[13];
	struct pod_dir *pod; /* locked */
};

/* options are filled in; all else here. On failure nothing is left behind. */
int run_prepare(struct run *run, struct err *err);

#endif
