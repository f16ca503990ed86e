/* SPDX-License-Identifier: Apache-2.0 */
/* A container's kills for want of memory, of which containerd is told: one call waits in the agent for the next. */
#ifndef SHIM_CONTAINER_OOM_H
#define SHIM_CONTAINER_OOM_H

struct container;

/* The guest has the container. Ends by itself, with the container or with the agent's connection. */
void container_oom_watch(struct container *container);

#endif
