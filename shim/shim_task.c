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
#include "shim/shim_task_internal.h"
#include "task.pb-c.h"

void task_fail(struct rpc_call *call, int code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	rpc_fail(call, &err);
}

struct shim *task_shim(void *data)
{
	return ((struct client *)data)->shim;
}

/* The container, or NULL and the call has been answered. */
static struct container *find_container(struct shim *shim, const char *id, struct rpc_call *call)
{
	struct container *container = container_find(shim, id);

	if (!container)
		task_fail(call, ENOENT, "container not created");
	return container;
}

static struct process *find_process(struct shim *shim, const char *id, const char *exec_id,
				    struct rpc_call *call)
{
	struct container *container = find_container(shim, id, call);
	struct process *process = container ? container_find_process(container, exec_id) : NULL;

	if (container && !process)
		task_fail(call, ENOENT, "no such process");
	return process;
}

/* As find_process, for what needs a process that runs. */
struct process *task_find_running(struct shim *shim, const char *id, const char *exec_id,
				  struct rpc_call *call)
{
	struct process *process = find_process(shim, id, exec_id, call);

	if (process && process->state == PROCESS_STOPPED) {
		task_fail(call, ENOENT, TASK_FINISHED);
		return NULL;
	}
	if (process && process->container->state != CONTAINER_CREATED) {
		task_fail(call, EBUSY, "the container is being created");
		return NULL;
	}
	return process;
}

/* --- the agent's answer is the client's ------------------------------------------------------- */

void task_on_forwarded(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (err && err->code == ECONNRESET)
		task_fail(data, ECONNRESET, "the machine has ended");
	else if (err)
		rpc_fail(data, err);
	else
		rpc_reply_empty(data);
}

void task_forward(struct shim *shim, struct rpc_call *call, const char *method,
		  const ProtobufCMessage *request, rpc_done done)
{
	int r = agent_client_call(shim->sandbox.agent, method, request, 0, done, call);

	if (r < 0)
		task_fail(call, -r, "the agent cannot be asked");
}

/* --- the life of a process -------------------------------------------------------------------- */

/* One whose container has ended will never run: whoever waits for it hears so. */
static void refuse_exec(struct process *process, struct rpc_call *call)
{
	task_fail(call, EBUSY, "the container does not run");
	process->never_ran = true;
	process_end(process, 126);
}

/* In a paused container nothing can start; who says so waits for the end of the pause. */
static void hold_start(struct process *process, struct rpc_call *call)
{
	if (process->ignore_paused && !process->held_start)
		process->held_start = call;
	else
		task_fail(call, EBUSY, "the container is paused");
}

void task_release_starts(struct container *container)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);
		struct rpc_call *call = TAKE_PTR(exec->held_start);

		if (call && container_has_ended(container))
			refuse_exec(exec, call);
		else if (call)
			container_start_process(exec, call);
	}
}

static void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__StartRequest *req = (const Task__StartRequest *)msg;
	struct process *process = task_find_running(task_shim(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (process->state != PROCESS_CREATED)
		task_fail(call, EBUSY, "the process has been started already");
	else if (req->exec_id[0] && container_has_ended(process->container))
		refuse_exec(process, call);
	else if (req->exec_id[0] && process->container->paused)
		hold_start(process, call);
	else
		container_start_process(process, call);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__WaitRequest *req = (const Task__WaitRequest *)msg;
	struct shim *shim = task_shim(data);
	struct process *process = find_process(shim, req->id, req->exec_id, call);
	struct client *client = data;

	if (process)
		snprintf(client->waits_for, sizeof(client->waits_for), "%s", req->id);
	if (process && process->failed && shim->own_pod)
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
	struct shim *shim = task_shim(data);
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

/* Its init waits for a start that will not come, or is still to be made. */
static void delete_created(struct container *container, struct rpc_call *call)
{
	container->delete = call;
	if (container->state == CONTAINER_CREATED)
		container_end_created(container);
	else
		container_cancel(container);
}

static void handle_delete(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__DeleteRequest *req = (const Task__DeleteRequest *)msg;
	struct process *process = find_process(task_shim(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (process->state == PROCESS_STOPPED ||
	    (process->state == PROCESS_CREATED && req->exec_id[0]))
		container_delete_process(process, call);
	else if (process->state == PROCESS_CREATED && !process->container->delete)
		delete_created(process->container, call);
	else
		task_fail(call, EBUSY, "the process has not ended");
}

static void handle_exec(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ExecProcessRequest *req = (const Task__ExecProcessRequest *)msg;
	struct container *container = find_container(task_shim(data), req->id, call);
	struct err err = ERR_INIT;

	if (!container)
		return;
	if (!pod_id_is_valid(req->exec_id))
		task_fail(call, EINVAL, "not a valid exec id");
	else if (container_find_process(container, req->exec_id))
		task_fail(call, EEXIST, "an exec of that id exists already");
	else if (container->state != CONTAINER_CREATED || container_has_ended(container))
		task_fail(call, EBUSY, "the container does not run");
	else if (container->sandbox)
		task_fail(call, EINVAL, "the pod's sandbox container has no processes");
	else if (container_add_exec(container, req, call, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_resize(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ResizePtyRequest *req = (const Task__ResizePtyRequest *)msg;
	Agent__ResizeRequest request = AGENT__RESIZE_REQUEST__INIT;
	struct shim *shim = task_shim(data);
	struct process *process = task_find_running(shim, req->id, req->exec_id, call);

	if (!process)
		return;
	if (req->height > UINT16_MAX || req->width > UINT16_MAX) {
		task_fail(call, EINVAL, "a terminal's size: more than 65535");
		return;
	}
	/* The guest hears of an exec with its start. */
	if (req->exec_id[0] && process->state == PROCESS_CREATED) {
		process->resized = true;
		process->rows = req->height;
		process->columns = req->width;
		rpc_reply_empty(call);
		return;
	}
	request.id = req->id;
	request.exec_id = req->exec_id;
	request.rows = req->height;
	request.columns = req->width;
	task_forward(shim, call, "Resize", &request.base, task_on_forwarded);
}

static void handle_close_io(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__CloseIORequest *req = (const Task__CloseIORequest *)msg;
	struct process *process = find_process(task_shim(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (req->stdin)
		stdio_close_stdin(process->stdio);
	rpc_reply_empty(call);
}

/* --- the shim --------------------------------------------------------------------------------- */

static void handle_connect(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Task__ConnectResponse response = TASK__CONNECT_RESPONSE__INIT;
	struct shim *shim = task_shim(data);

	response.shim_pid = (uint32_t)getpid();
	response.task_pid = shim->sandbox.hv ? (uint32_t)shim->sandbox.hv->pid : 0;
	response.version = (char *)sbx_version;
	rpc_reply(call, &response.base);
}

static void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__ShutdownRequest *req = (const Task__ShutdownRequest *)msg;
	struct shim *shim = task_shim(data);

	/* containerd asks after each container; the last one's counts. A pod made by itself has its own call. */
	if (!shim->pod_service && (req->now || list_empty(&shim->containers))) {
		shim_shut_down_for(shim, call);
		return;
	}
	log_debug("Shutdown of a task: the sandbox stays");
	rpc_reply_empty(call);
}

static const struct rpc_method methods[] = {
	{"State", handle_state},        {"Create", shim_handle_create},
	{"Start", handle_start},        {"Delete", handle_delete},
	{"Pids", task_handle_pids},     {"Pause", task_handle_pause},
	{"Resume", task_handle_resume}, {"Kill", task_handle_kill},
	{"Exec", handle_exec},          {"ResizePty", handle_resize},
	{"CloseIO", handle_close_io},   {"Wait", handle_wait},
	{"Connect", handle_connect},    {"Shutdown", handle_shutdown},
	{"Stats", task_handle_stats},   {"Update", task_handle_update},
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
