/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a pod's shim and connects to it, with no moment at which either could be left behind. */
#ifndef SHIM_CLI_SPAWN_H
#define SHIM_CLI_SPAWN_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/cli_pod.h"
#include "shim/pod_dir.h"

/*
 * Hands pod's lock to a new shim, which ends when the connection does before a container was made. On
 * failure the lock is ours still, or the shim has ended or is about to.
 */
int cli_spawn_shim(struct pod_dir *pod, bool debug, struct cli_shim *ret, struct err *err);

#endif
