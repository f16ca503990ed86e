/* SPDX-License-Identifier: Apache-2.0 */
/* The container's devices: made, or bound where its user namespace may not make any. */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include "agent/plan.h"
#include "common/err.h"

/*
 * Beforehand, in the helper, which still is root of the guest: makes what cannot be made in a user
 * namespace, or in a root that is a folder of the host, in a mount that only it and its children have.
 */
int device_prepare(const struct plan *plan, bool shared_root, struct err *err);

/* The operation's device (OP_DEVICE), in the root file system that root_fd refers to. 0 or -errno. */
int device_make(const struct plan *plan, int root_fd, const struct op *op);

#endif
