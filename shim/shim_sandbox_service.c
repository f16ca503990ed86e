/* SPDX-License-Identifier: Apache-2.0 */
/* What sbx's own clients ask beyond the Task service: Hold, Explain, Stats. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/rpc.h"
#include "sbx.pb-c.h"
#include "shim/container.h"
#include "shim/shim.h"

#define CONSOLE_MAX 4096

static void handle_hold(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct client *client = data;

	client->holds = true;
	rpc_reply_empty(call);
}

/* --- Explain ---------------------------------------------------------------------------------- */

struct explanation {
	struct shim *shim;
	struct rpc_call *call;
	struct stages stages; /* ours and the monitor's */
};

static void answer_explain(struct explanation *explanation)
{
	Sandbox__ExplainResponse response = SANDBOX__EXPLAIN_RESPONSE__INIT;
	const struct sandbox *sandbox = &explanation->shim->sandbox;
	Sandbox__Stage stages[STAGES_MAX], *array[STAGES_MAX];
	char console[CONSOLE_MAX];

	for (size_t i = 0; i < explanation->stages.n; i++) {
		sandbox__stage__init(&stages[i]);
		stages[i].name = explanation->stages.items[i].name;
		stages[i].at_ns = explanation->stages.items[i].at_ns;
		array[i] = &stages[i];
	}
	response.begin_ns = sandbox->begin_ns;
	response.stages = array;
	response.n_stages = explanation->stages.n;
	if (sandbox->hv) {
		response.hypervisor = (char *)sandbox->hv->ops->name;
		response.vmm_pid = (uint32_t)sandbox->hv->pid;
		response.console.data = (uint8_t *)console;
		response.console.len =
			sandbox->hv->ops->console(sandbox->hv, console, sizeof(console));
	}
	rpc_reply(explanation->call, &response.base);
	free(explanation);
}

static void on_monitor_stage(const char *name, uint64_t at_ns, void *data)
{
	struct explanation *explanation = data;
	char text[STAGE_NAME_MAX];

	if (!name) {
		answer_explain(explanation);
		return;
	}
	snprintf(text, sizeof(text), "monitor: %.28s", name);
	stages_add(&explanation->stages, text, at_ns);
}

static void handle_explain(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = ((struct client *)data)->shim;
	struct explanation *explanation = malloc(sizeof(*explanation));
	struct err err = ERR_INIT;

	if (!explanation) {
		err_set(&err, ENOMEM, "out of memory");
		rpc_fail(call, &err);
		return;
	}
	*explanation = (struct explanation){shim, call, shim->sandbox.stages};
	if (!shim->sandbox.hv || !shim->sandbox.hv->ops->stages ||
	    shim->sandbox.hv->ops->stages(shim->sandbox.hv, on_monitor_stage, explanation) < 0)
		answer_explain(explanation);
}

/* --- Stats ------------------------------------------------------------------------------------ */

static void on_stats(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	const Agent__StatsResponse *stats = (const Agent__StatsResponse *)msg;
	Sandbox__StatsResponse response = SANDBOX__STATS_RESPONSE__INIT;

	if (err) {
		rpc_fail(data, err);
		return;
	}
	response.cpu_usage_usec = stats->cpu_usage_usec;
	response.memory_usage = stats->memory_usage;
	response.memory_limit = stats->memory_limit;
	response.pids = stats->pids;
	response.pids_limit = stats->pids_limit;
	rpc_reply(data, &response.base);
}

static void handle_stats(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = ((struct client *)data)->shim;
	struct err err = ERR_INIT;
	int r = -ENOENT;

	if (!list_empty(&shim->containers)) {
		request.id = list_entry(shim->containers.next, struct container, link)->id;
		r = agent_client_call(shim->sandbox.agent, "Stats", &request.base, 0, on_stats,
				      call);
	}
	if (r < 0) {
		err_set_errno(&err, -r, "no container to ask about");
		rpc_fail(call, &err);
	}
}

static const struct rpc_method methods[] = {
	{"Hold", handle_hold},
	{"Explain", handle_explain},
	{"Stats", handle_stats},
};

const struct rpc_service shim_sandbox_service = {
	.desc = &sandbox__sandbox__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
