/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/container_oom.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "shim/agent_client.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/task_events.h"

struct oom_wait {
	struct shim *shim;
	char id[POD_ID_MAX + 1];
};

/* Its end, or the agent's, ends the call. The container is found again: it may be gone by then. */
static void on_oom(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	_cleanup_free_ struct oom_wait *wait = data;
	struct container *container = container_find(wait->shim, wait->id);

	if (err || !container)
		return;
	container->oom_kills = ((const Agent__OomResponse *)reply)->oom_kill;
	task_event_oom(container);
	container_oom_watch(container);
}

void container_oom_watch(struct container *container)
{
	Agent__OomRequest request = AGENT__OOM_REQUEST__INIT;
	struct oom_wait *wait = malloc(sizeof(*wait));

	request.id = container->id;
	request.seen = container->oom_kills;
	if (!wait)
		return;
	wait->shim = container->shim;
	snprintf(wait->id, sizeof(wait->id), "%s", container->id);
	if (agent_client_call(container->shim->sandbox.agent, "WaitOom", &request.base, 0, on_oom,
			      wait) < 0)
		free(wait);
}
