/* SPDX-License-Identifier: Apache-2.0 */
/* Containers whose stand-in has gone: killed by somebody, or with an sbx-oci that was killed half-way. */
#include <signal.h>

#include "common/log.h"
#include "shim/container.h"
#include "shim/shim.h"

/* A pod of its own, in which nothing has run yet, goes with it; else there are neighbours, or hooks. */
void container_end_orphan(struct container *container)
{
	struct shim *shim = container->shim;
	bool alone = shim->containers.next == shim->containers.prev;

	if (container->init.state == PROCESS_STOPPED)
		return;
	log_info("the stand-in of %s has gone", container->id);
	if (alone && container->init.state == PROCESS_CREATED)
		shim_shut_down(shim, "its client went away");
	else if (container->state != CONTAINER_CREATED)
		container->orphan = true;
	else {
		process_killed(&container->init);
		container_end_created(container);
	}
}

void container_end_orphans(struct shim *shim, pid_t pid)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->containers) {
		struct container *container = list_entry(it, struct container, link);

		if (container->stand_in == 0 || container->stand_in != pid)
			continue;
		container->stand_in = 0;
		container_end_orphan(container);
	}
}
