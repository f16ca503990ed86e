/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's VM grows with its containers: what they ask for together, beyond what it was begun with, is
 * brought online before the container that needs it starts. It does not shrink: the memory that nobody
 * uses goes back to the host by itself (the balloon's free-page reporting), and an idle vCPU costs nothing.
 */
#ifndef SHIM_POD_GROW_H
#define SHIM_POD_GROW_H

#include "shim/pod_size.h"

struct shim;

/* All zero: a pod that does not grow. */
struct pod_grow {
	struct pod_size now, asked, most;
};

/*
 * Makes the VM, which is READY, large enough for the containers of the pod; done is called in any case,
 * perhaps at once. A machine that cannot grow is said in the log: the container is then like one on a host
 * that has less than its limit.
 */
void pod_grow(struct shim *shim, void (*done)(void *data), void *data);

#endif
