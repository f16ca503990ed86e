/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: Task.Kill. A signal goes to the guest when a process can be there that takes it. An
 * exec that was only added has none, as runc's shim says in the same words. One that is being started may have
 * none yet: the Kill waits until the agent has answered the start, and goes its way then, or finds the process
 * finished where that has failed. process.c and container_process.c say when (process_release_kills).
 *
 * CRI's sandbox container has no process at all. Its end is the pod's, which only those signals ask for that
 * the process which stands there elsewhere would end by.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/rpc.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/shim_task_internal.h"
#include "task.pb-c.h"

#define MAX_SIGNAL 64
#define MAX_HELD   64

struct held_kill {
	struct list link;
	struct rpc_call *call;
	const Task__KillRequest *req; /* the call's */
};

static void hold(struct process *process, struct rpc_call *call, const Task__KillRequest *req)
{
	struct held_kill *held;
	unsigned n = 0;

	for (struct list *it = process->kills.next; it != &process->kills; it = it->next)
		n++;
	held = n < MAX_HELD ? malloc(sizeof(*held)) : NULL;
	if (!held) {
		task_fail(call, ENOMEM, "too many signals wait for the process's start");
		return;
	}
	*held = (struct held_kill){.call = call, .req = req};
	list_append(&process->kills, &held->link);
}

/* The machine may end before it answers. That is the process's end, too, which is told when the monitor's is. */
static void on_sent(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (err && err->code == ECONNRESET)
		task_fail(data, ENOENT, TASK_FINISHED);
	else
		task_on_forwarded(reply, err, data);
}

static void send(struct process *process, struct rpc_call *call, const Task__KillRequest *req)
{
	Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

	request.id = req->id;
	request.exec_id = req->exec_id;
	request.signal = req->signal;
	request.all = req->all;
	if (req->signal == SIGKILL)
		process_killed(process);
	task_forward(process->container->shim, call, "Kill", &request.base, on_sent);
}

void process_release_kills(struct process *process)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &process->kills) {
		struct held_kill *held = list_entry(it, struct held_kill, link);

		list_remove(&held->link);
		if (process->state == PROCESS_RUNNING)
			send(process, held->call, held->req);
		else
			task_fail(held->call, ENOENT, TASK_FINISHED);
		free(held);
	}
}

static void kill_sandbox(struct process *process, struct rpc_call *call, uint32_t signo)
{
	if (signo == SIGKILL || signo == SIGTERM || signo == SIGINT)
		process_end(process, 128 + signo);
	rpc_reply_empty(call);
}

void task_handle_kill(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__KillRequest *req = (const Task__KillRequest *)msg;
	struct process *process = task_find_running(task_shim(data), req->id, req->exec_id, call);

	if (!process)
		return;
	if (req->signal > MAX_SIGNAL)
		task_fail(call, EINVAL, "not a signal");
	else if (process->container->sandbox)
		kill_sandbox(process, call, req->signal);
	else if (req->exec_id[0] && process->state == PROCESS_CREATED)
		task_fail(call, EBUSY, "process not created");
	else if (req->exec_id[0] && process->state == PROCESS_STARTING)
		hold(process, call, req);
	else
		send(process, call, req);
}
