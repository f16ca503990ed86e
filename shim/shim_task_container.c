/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the Task service that are about a container as a whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/rpc.h"
#include "shim/container.h"
#include "shim/pod_grow.h"
#include "shim/shim.h"
#include "shim/shim_task_internal.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"
#include "shim/task_events.h"
#include "shim/task_stats.h"

/* What the host has of a pod's processes. */
static uint32_t monitor_of(const struct shim *shim)
{
	return (uint32_t)(shim->sandbox.hv ? shim->sandbox.hv->pid : getpid());
}

/*
 * containerd's clients take the numbers for the host's, and ask the host's ps about them: for them each
 * process is the monitor. And one there is: a containerd that starts anew and hears of none, as of a
 * container that has ended, takes the task for one that was never made, and deletes it with its exit status.
 */
static void reply_pids(struct rpc_call *call, const uint32_t *pids, size_t n)
{
	const struct shim *shim = rpc_call_data(call) ? task_shim(rpc_call_data(call)) : NULL;
	bool of_host = shim && shim->publisher;
	Task__PidsResponse response = TASK__PIDS_RESPONSE__INIT;
	_cleanup_free_ Task__ProcessInfo *infos = calloc(n + 1, sizeof(*infos));
	_cleanup_free_ Task__ProcessInfo **array = calloc(n + 1, sizeof(*array));

	if (!infos || !array) {
		task_fail(call, ENOMEM, "out of memory");
		return;
	}
	if (of_host && n == 0)
		n = 1;
	for (size_t i = 0; i < n; i++) {
		task__process_info__init(&infos[i]);
		infos[i].pid = of_host ? monitor_of(shim) : pids[i];
		array[i] = &infos[i];
	}
	response.processes = array;
	response.n_processes = n;
	rpc_reply(call, &response.base);
}

/* The message's strings stay the guest's answer's. */
static void copy_row(const Agent__ProcessRow *from, Task__ProcessRow *to)
{
	task__process_row__init(to);
	to->pid = from->pid;
	to->ppid = from->ppid;
	to->uid = from->uid;
	to->tty = from->tty;
	to->state = from->state;
	to->leader = from->leader;
	to->foreground = from->foreground;
	to->start_ns = from->start_ns;
	to->cpu_ns = from->cpu_ns;
	to->command = from->command;
}

static void reply_rows(struct rpc_call *call, const Agent__PidsResponse *pids)
{
	Task__PidsResponse response = TASK__PIDS_RESPONSE__INIT;
	size_t n = pids->n_rows;
	_cleanup_free_ Task__ProcessInfo *infos = calloc(n + 1, sizeof(*infos));
	_cleanup_free_ Task__ProcessRow *rows = calloc(n + 1, sizeof(*rows));
	_cleanup_free_ Task__ProcessInfo **array = calloc(n + 1, sizeof(*array));

	if (!infos || !rows || !array) {
		task_fail(call, ENOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		copy_row(pids->rows[i], &rows[i]);
		task__process_info__init(&infos[i]);
		infos[i].pid = rows[i].pid;
		infos[i].row = &rows[i];
		array[i] = &infos[i];
	}
	response.processes = array;
	response.n_processes = n;
	response.more = pids->more;
	rpc_reply(call, &response.base);
}

static void on_pids(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	const Agent__PidsResponse *pids = (const Agent__PidsResponse *)msg;

	if (err)
		rpc_fail(data, err);
	else if (pids->n_rows)
		reply_rows(data, pids);
	else
		reply_pids(data, pids->pids, pids->n_pids);
}

void task_handle_pids(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__PidsRequest *req = (const Task__PidsRequest *)msg;
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = task_shim(data);
	const struct container *container = container_find(shim, req->id);
	uint32_t monitor = monitor_of(shim);

	if (container && container->state == CONTAINER_CREATED &&
	    (container->sandbox || (shim->publisher && container->init.state == PROCESS_STOPPED))) {
		reply_pids(call, &monitor, 1);
		return;
	}
	if (!task_find_running(shim, req->id, "", call))
		return;
	request.id = req->id;
	request.rows = req->rows;
	task_forward(shim, call, "Pids", &request.base, on_pids);
}

static void on_stats(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	if (err)
		rpc_fail(data, err);
	else
		task_stats_reply(data, (const Agent__StatsResponse *)msg, task_stats_legacy());
}

void task_handle_stats(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	static const Agent__StatsResponse nothing = AGENT__STATS_RESPONSE__INIT;
	const Task__StatsRequest *req = (const Task__StatsRequest *)msg;
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = task_shim(data);
	struct process *init = task_find_running(shim, req->id, "", call);

	if (!init)
		return;
	/* It has no processes, so it uses nothing. */
	if (init->container->sandbox) {
		task_stats_reply(call, &nothing, task_stats_legacy());
		return;
	}
	request.id = req->id;
	task_forward(shim, call, "Stats", &request.base, on_stats);
}

/* An Update whose container's new limits the machine may have to grow for. */
struct updating {
	struct rpc_call *call;
	struct shim *shim;
	struct spec *spec; /* owns resources */
	Spec__Resources *resources;
	char *id; /* the call's */
};

/* The machine is as large as it gets. */
static void on_room(void *data)
{
	struct updating *updating = data;
	Agent__UpdateRequest request = AGENT__UPDATE_REQUEST__INIT;

	request.id = updating->id;
	request.resources = updating->resources;
	task_forward(updating->shim, updating->call, "Update", &request.base, task_on_forwarded);
	spec_free(updating->spec);
	free(updating);
}

static void update(struct container *container, struct rpc_call *call,
		   const Task__UpdateTaskRequest *req)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Resources *resources;
	struct updating *updating;
	struct err err = ERR_INIT;
	int r;

	if (!req->resources) {
		task_fail(call, EINVAL, "update: resources missing");
		return;
	}
	r = spec_parse_resources((const char *)req->resources->value.data,
				 req->resources->value.len, &spec, &err);
	if (r == 0) {
		container_take_resources(container, &spec->resources);
		r = spec_guest_build_resources(spec, &spec->resources, &resources, &err);
	}
	if (r < 0) {
		rpc_fail(call, &err);
		return;
	}
	updating = malloc(sizeof(*updating));
	if (!updating) {
		task_fail(call, ENOMEM, "out of memory");
		return;
	}
	pod_demand_change(&container->demand, &spec->resources);
	*updating = (struct updating){
		.call = call,
		.shim = container->shim,
		.resources = resources,
		.spec = TAKE_PTR(spec),
		.id = req->id,
	};
	pod_grow(container->shim, on_room, updating);
}

void task_handle_update(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__UpdateTaskRequest *req = (const Task__UpdateTaskRequest *)msg;
	struct process *init = task_find_running(task_shim(data), req->id, "", call);

	if (!init)
		return;
	/* Nothing of it is in the guest; the pod's own size is not a container's to change. */
	if (init->container->sandbox)
		rpc_reply_empty(call);
	else
		update(init->container, call, req);
}

/* The container may be deleted before the agent's answer, so it is found again by its id. */
struct pausing {
	struct rpc_call *call;
	struct shim *shim;
	bool pause;
	char id[POD_ID_MAX + 1];
};

static void on_paused(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct pausing *pausing = data;
	struct container *container = container_find(pausing->shim, pausing->id);

	if (!err && container) {
		container->paused = pausing->pause;
		task_event_paused(container, pausing->pause);
		if (!pausing->pause)
			task_release_starts(container);
	}
	task_on_forwarded(reply, err, pausing->call);
	free(pausing);
}

static void pause_or_resume(struct rpc_call *call, struct shim *shim, char *id, bool pause)
{
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct process *init = task_find_running(shim, id, "", call);
	struct pausing *pausing;

	if (!init)
		return;
	if (init->state != PROCESS_RUNNING || init->container->paused == pause ||
	    init->container->sandbox) {
		task_fail(call, EBUSY,
			  pause ? "the container does not run" : "the container is not paused");
		return;
	}
	pausing = calloc(1, sizeof(*pausing));
	if (!pausing) {
		task_fail(call, ENOMEM, "out of memory");
		return;
	}
	*pausing = (struct pausing){.call = call, .shim = shim, .pause = pause};
	snprintf(pausing->id, sizeof(pausing->id), "%s", id);
	request.id = id;
	if (agent_client_call(shim->sandbox.agent, pause ? "Pause" : "Resume", &request.base, 0,
			      on_paused, pausing) < 0) {
		free(pausing);
		task_fail(call, EPIPE, "the agent cannot be asked");
	}
}

void task_handle_pause(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	pause_or_resume(call, task_shim(data), ((const Task__PauseRequest *)msg)->id, true);
}

void task_handle_resume(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	pause_or_resume(call, task_shim(data), ((const Task__ResumeRequest *)msg)->id, false);
}
