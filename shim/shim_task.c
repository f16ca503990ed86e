/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's Task service, which sbx and sbx-oci call too. Each handler checks what the request
 * may ask for in the state that things are in; containers and processes do the rest. The error codes
 * are those that containerd's runc shim answers with.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc.h"
#include "common/version.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/task_events.h"
#include "shim/task_stats.h"
#include "task.pb-c.h"

static void fail(struct rpc_call *call, int code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	rpc_fail(call, &err);
}

static struct shim *shim_of(void *data)
{
	return ((struct client *)data)->shim;
}

/* The container, or NULL and the call has been answered. */
static struct container *find_container(struct shim *shim, const char *id, struct rpc_call *call)
{
	struct container *container = container_find(shim, id);

	if (!container)
		fail(call, ENOENT, "container not created");
	return container;
}

static struct process *find_process(struct shim *shim, const char *id, const char *exec_id,
				    struct rpc_call *call)
{
	struct container *container = find_container(shim, id, call);
	struct process *process = container ? container_find_process(container, exec_id) : NULL;

	if (container && !process)
		fail(call, ENOENT, "no such process");
	return process;
}

/* As find_process, for what needs a process that runs. */
static struct process *find_running(struct shim *shim, const char *id, const char *exec_id,
				    struct rpc_call *call)
{
	struct process *process = find_process(shim, id, exec_id, call);

	if (process && process->state == PROCESS_STOPPED) {
		fail(call, ENOENT, "process already finished");
		return NULL;
	}
	if (process && process->container->state != CONTAINER_CREATED) {
		fail(call, EBUSY, "the container is being created");
		return NULL;
	}
	return process;
}

/* --- the agent's answer is the client's ------------------------------------------------------- */

static void on_forwarded(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (err)
		rpc_fail(data, err);
	else
		rpc_reply_empty(data);
}

static void forward(struct shim *shim, struct rpc_call *call, const char *method,
		    const ProtobufCMessage *request, rpc_done done)
{
	int r = agent_client_call(shim->sandbox.agent, method, request, 0, done, call);

	if (r < 0)
		fail(call, -r, "the agent cannot be asked");
}

/* --- the life of a process -------------------------------------------------------------------- */

static void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__StartRequest *req = (const Task__StartRequest *)msg;
	struct process *process = find_running(shim_of(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (process->state != PROCESS_CREATED)
		fail(call, EBUSY, "the process has been started already");
	else if (req->exec_id[0] && process->container->init.state != PROCESS_RUNNING)
		fail(call, EBUSY, "the container does not run");
	else
		container_start_process(process, call);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__WaitRequest *req = (const Task__WaitRequest *)msg;
	struct shim *shim = shim_of(data);
	struct process *process = find_process(shim, req->id, req->exec_id, call);

	if (process && shim->sandbox.state == SANDBOX_DEAD && shim->sandbox.why.code)
		rpc_fail(call, &shim->sandbox.why);
	else if (process)
		process_wait(process, call);
}

static Task__Status status_of(const struct process *process)
{
	switch (process->state) {
	case PROCESS_STOPPED:
		return TASK__STATUS__STOPPED;
	case PROCESS_RUNNING:
		return process->container->paused ? TASK__STATUS__PAUSED : TASK__STATUS__RUNNING;
	default:
		return TASK__STATUS__CREATED;
	}
}

static void handle_state(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__StateRequest *req = (const Task__StateRequest *)msg;
	Task__StateResponse response = TASK__STATE_RESPONSE__INIT;
	struct shim *shim = shim_of(data);
	struct process *process = find_process(shim, req->id, req->exec_id, call);
	Google__Timestamp at;

	if (!process)
		return;
	response.id = process->container->id;
	response.bundle = process->container->bundle;
	response.exec_id = process->exec_id;
	response.pid = shim->sandbox.hv ? (uint32_t)shim->sandbox.hv->pid : 0;
	response.status = status_of(process);
	response.stdin = (char *)process->uris.in;
	response.stdout = (char *)process->uris.out;
	response.stderr = (char *)process->uris.err;
	response.terminal = process->uris.terminal;
	response.exit_status = process->exit_status;
	response.exited_at = container_timestamp(process->exited_at_ns, &at);
	rpc_reply(call, &response.base);
}

static void handle_kill(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__KillRequest *req = (const Task__KillRequest *)msg;
	Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;
	struct shim *shim = shim_of(data);
	struct process *process = find_running(shim, req->id, req->exec_id, call);

	if (!process)
		return;
	if (req->signal > 64) {
		fail(call, EINVAL, "not a signal");
		return;
	}
	request.id = req->id;
	request.exec_id = req->exec_id;
	request.signal = req->signal;
	request.all = req->all;
	if (process->container->sandbox) {
		process_end(process, 128 + req->signal);
		rpc_reply_empty(call);
		return;
	}
	if (req->signal == SIGKILL)
		process_killed(process);
	forward(shim, call, "Kill", &request.base, on_forwarded);
}

/* Its init waits for a start that will not come. */
static void delete_created(struct container *container, struct rpc_call *call)
{
	if (container->state != CONTAINER_CREATED) {
		fail(call, EBUSY, "the container is being created");
		return;
	}
	container->delete = call;
	if (container->sandbox)
		process_end(&container->init, 128 + SIGKILL);
	else
		container_kill(container, SIGKILL, true);
}

static void handle_delete(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__DeleteRequest *req = (const Task__DeleteRequest *)msg;
	struct process *process = find_process(shim_of(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (process->state == PROCESS_STOPPED ||
	    (process->state == PROCESS_CREATED && req->exec_id[0]))
		container_delete_process(process, call);
	else if (process->state == PROCESS_CREATED && !process->container->delete)
		delete_created(process->container, call);
	else
		fail(call, EBUSY, "the process has not ended");
}

static void handle_exec(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ExecProcessRequest *req = (const Task__ExecProcessRequest *)msg;
	struct container *container = find_container(shim_of(data), req->id, call);
	struct err err = ERR_INIT;

	if (!container)
		return;
	if (!pod_id_is_valid(req->exec_id))
		fail(call, EINVAL, "not a valid exec id");
	else if (container_find_process(container, req->exec_id))
		fail(call, EEXIST, "an exec of that id exists already");
	else if (container->init.state != PROCESS_RUNNING)
		fail(call, EBUSY, "the container does not run");
	else if (container->sandbox)
		fail(call, EINVAL, "the pod's sandbox container has no processes");
	else if (container_add_exec(container, req, call, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_resize(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ResizePtyRequest *req = (const Task__ResizePtyRequest *)msg;
	Agent__ResizeRequest request = AGENT__RESIZE_REQUEST__INIT;
	struct shim *shim = shim_of(data);

	if (!find_running(shim, req->id, req->exec_id, call))
		return;
	request.id = req->id;
	request.exec_id = req->exec_id;
	request.rows = req->height;
	request.columns = req->width;
	forward(shim, call, "Resize", &request.base, on_forwarded);
}

static void handle_close_io(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__CloseIORequest *req = (const Task__CloseIORequest *)msg;
	struct process *process = find_process(shim_of(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (req->stdin)
		stdio_close_stdin(process->stdio);
	rpc_reply_empty(call);
}

/* --- the container as a whole ----------------------------------------------------------------- */

static void reply_pids(struct rpc_call *call, const uint32_t *pids, size_t n)
{
	Task__PidsResponse response = TASK__PIDS_RESPONSE__INIT;
	_cleanup_free_ Task__ProcessInfo *infos = calloc(n + 1, sizeof(*infos));
	_cleanup_free_ Task__ProcessInfo **array = calloc(n + 1, sizeof(*array));

	if (!infos || !array) {
		fail(call, ENOMEM, "out of memory");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		task__process_info__init(&infos[i]);
		infos[i].pid = pids[i];
		array[i] = &infos[i];
	}
	response.processes = array;
	response.n_processes = n;
	rpc_reply(call, &response.base);
}

static void on_pids(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	const Agent__PidsResponse *pids = (const Agent__PidsResponse *)msg;

	if (err)
		rpc_fail(data, err);
	else
		reply_pids(data, pids->pids, pids->n_pids);
}

static void handle_pids(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__PidsRequest *req = (const Task__PidsRequest *)msg;
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = shim_of(data);
	uint32_t monitor = shim->sandbox.hv ? (uint32_t)shim->sandbox.hv->pid : 0;
	struct process *init;

	init = find_running(shim, req->id, "", call);
	if (!init)
		return;
	if (init->container->sandbox) {
		reply_pids(call, &monitor, 1);
		return;
	}
	request.id = req->id;
	forward(shim, call, "Pids", &request.base, on_pids);
}

static void on_stats(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	if (err)
		rpc_fail(data, err);
	else
		task_stats_reply(data, (const Agent__StatsResponse *)msg, task_stats_legacy());
}

static void handle_stats(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	static const Agent__StatsResponse nothing = AGENT__STATS_RESPONSE__INIT;
	const Task__StatsRequest *req = (const Task__StatsRequest *)msg;
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = shim_of(data);
	struct process *init = find_running(shim, req->id, "", call);

	if (!init)
		return;
	/* It has no processes, so it uses nothing. */
	if (init->container->sandbox) {
		task_stats_reply(call, &nothing, task_stats_legacy());
		return;
	}
	request.id = req->id;
	forward(shim, call, "Stats", &request.base, on_stats);
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
	}
	on_forwarded(reply, err, pausing->call);
	free(pausing);
}

static void pause_or_resume(struct rpc_call *call, struct shim *shim, char *id, bool pause)
{
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct process *init = find_running(shim, id, "", call);
	struct pausing *pausing;

	if (!init)
		return;
	if (init->state != PROCESS_RUNNING || init->container->paused == pause ||
	    init->container->sandbox) {
		fail(call, EBUSY,
		     pause ? "the container does not run" : "the container is not paused");
		return;
	}
	pausing = calloc(1, sizeof(*pausing));
	if (!pausing) {
		fail(call, ENOMEM, "out of memory");
		return;
	}
	*pausing = (struct pausing){.call = call, .shim = shim, .pause = pause};
	snprintf(pausing->id, sizeof(pausing->id), "%s", id);
	request.id = id;
	if (agent_client_call(shim->sandbox.agent, pause ? "Pause" : "Resume", &request.base, 0,
			      on_paused, pausing) < 0) {
		free(pausing);
		fail(call, EPIPE, "the agent cannot be asked");
	}
}

static void handle_pause(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	pause_or_resume(call, shim_of(data), ((const Task__PauseRequest *)msg)->id, true);
}

static void handle_resume(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	pause_or_resume(call, shim_of(data), ((const Task__ResumeRequest *)msg)->id, false);
}

/* --- the shim --------------------------------------------------------------------------------- */

static void handle_connect(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;
	struct shim *shim = shim_of(data);

	response.shim_pid = (uint32_t)getpid();
	response.task_pid = shim->sandbox.hv ? (uint32_t)shim->sandbox.hv->pid : 0;
	response.version = (char *)sbx_version;
	rpc_reply(call, &response.base);
}

static void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ShutdownRequest *req = (const Task__ShutdownRequest *)msg;
	struct shim *shim = shim_of(data);

	/* containerd asks after each container; the last one's counts. */
	if (req->now || list_empty(&shim->containers))
		shim_shut_down(shim, NULL);
	rpc_reply_empty(call);
}

static const struct rpc_method methods[] = {
	{"State", handle_state},      {"Create", shim_handle_create}, {"Start", handle_start},
	{"Delete", handle_delete},    {"Pids", handle_pids},          {"Pause", handle_pause},
	{"Resume", handle_resume},    {"Kill", handle_kill},          {"Exec", handle_exec},
	{"ResizePty", handle_resize}, {"CloseIO", handle_close_io},   {"Wait", handle_wait},
	{"Connect", handle_connect},  {"Shutdown", handle_shutdown},  {"Stats", handle_stats},
};

const struct rpc_service shim_task_service = {
	.desc = &task__task__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};

/* The same messages under containerd 2's name. */
const struct rpc_service shim_task_v3_service = {
	.desc = &task__task__descriptor,
	.name = "containerd.task.v3.Task",
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
