/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/container_oom.h"

#include "common/loop.h"
#include "shim/agent_client.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/task_events.h"

#define PAUSE_NS (100 * 1000000ull)

static void on_pause(struct source *source, uint32_t events, void *data)
{
	container_oom_watch(data);
}

/* The event goes to a containerd that serves all pods, so a guest gets to say it that often only. */
static void watch_on(struct container *container)
{
	if (!container->oom_pause &&
	    loop_add_timer(container->shim->loop, on_pause, container, &container->oom_pause) < 0)
		return;
	source_arm(container->oom_pause, PAUSE_NS);
}

/* Its end, or the agent's, ends the call. */
static void on_oom(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct container *container = data;
	uint64_t kills = err ? 0 : ((const Agent__OomResponse *)reply)->oom_kill;

	if (err || container->init.state == PROCESS_STOPPED)
		return;
	if (kills > container->oom_kills) {
		container->oom_kills = kills;
		task_event_oom(container);
	}
	watch_on(container);
}

void container_oom_watch(struct container *container)
{
	Agent__OomRequest request = AGENT__OOM_REQUEST__INIT;

	request.id = container->id;
	request.seen = container->oom_kills;
	agent_client_call(container->shim->sandbox.agent, "WaitOom", &request.base, 0, on_oom,
			  container);
}
