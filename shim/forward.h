/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that somebody on the host makes to the loopback addresses of the pod's network namespace,
 * passed on to those of the guest.
 */
#ifndef SHIM_FORWARD_H
#define SHIM_FORWARD_H

#include "common/cleanup.h"
#include "common/err.h"

struct forward;
struct loop;
struct sandbox;

/* In the namespace at path. Connections that come before the sandbox is ready wait. */
int forward_create(struct loop *loop, struct sandbox *sandbox, const char *path,
		   struct forward **ret, struct err *err);
/* The sandbox is ready. */
void forward_begin(struct forward *forward);
/* Once the sandbox's agent is gone, but while its stream hub is there. NULL is a no-op. */
void forward_destroy(struct forward *forward);
DEFINE_CLEANUP(struct forward, forward_destroy)

#endif
