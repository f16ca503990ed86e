/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a container's life the host's hooks run (hooks.h). Each calls its function exactly once. */
#ifndef SHIM_CONTAINER_HOOKS_H
#define SHIM_CONTAINER_HOOKS_H

#include "common/err.h"
#include "shim/hooks.h"

struct container;

/* data is the caller's; err as hooks.h has it. fn may be called at once where there are no hooks. */
void container_hooks_run(struct container *container, enum hooks_stage stage, hooks_fn fn,
			 void *data);

/* The guest has the container: what of its spec only hooks could still need is kept, the rest freed. */
void container_hooks_keep(struct container *container);

#endif
