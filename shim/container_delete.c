/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: how a process that has ended, or never began, is deleted. The guest frees its own part
 * first; of a container, poststop hooks run then, and what Delete answers for is freed with that answer.
 *
 *	container_delete_process()	the agent's Delete; not for what the guest never had
 *	finish_deletion()		an exec is answered; init goes on to its hooks
 *	on_poststop()			execs the guest has not answered for, then init itself
 *
 * The end of everything, container_let_go(), enters at the last step.
 */
#include "common/log.h"
#include "common/rpc.h"
#include "shim/container.h"
#include "shim/container_hooks.h"
#include "shim/hooks_due.h"
#include "shim/shim.h"
#include "shim/task_events.h"

/* The agent waits 10 s for the last of a container's processes; the rest is for what is still being written. */
#define DELETE_TIMEOUT_MS 60000

/* err: of init's poststop hooks; NULL: none failed. */
static void answer_deletion(struct process *process, const struct err *err)
{
	Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
	struct container *container = process->container;
	struct rpc_call *call = TAKE_PTR(process->delete_call);
	Google__Timestamp at;

	response.exit_status = process->exit_status;
	response.exited_at = container_timestamp(process->exited_at_ns, &at);
	response.pid = container->shim->sandbox.hv ? (uint32_t)container->shim->sandbox.hv->pid : 0;
	if (err)
		response.warning = (char *)(uintptr_t)err->msg;
	task_event_deleted(process);
	rpc_reply(call, &response.base);
	if (process == &container->init) {
		container_free(container);
		return;
	}
	process_finish(process);
	free(process);
}

/* poststop has run, or never will. */
static void on_poststop(const struct err *err, void *data)
{
	struct container *container = data;
	struct list *it, *tmp;

	/* The guest has not answered for them, and need not: they went with it. */
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);

		if (exec->delete_call)
			answer_deletion(exec, NULL);
	}
	answer_deletion(&container->init, err);
}

static void on_hooks_over(const struct err *err, void *data)
{
	struct container *container = data;

	hooks_due_over(TAKE_PTR(container->due));
	on_poststop(err, container);
}

static void finish_deletion(struct process *process)
{
	struct container *container = process->container;

	if (process != &container->init) {
		answer_deletion(process, NULL);
		return;
	}
	/* A Start that still waits for its hooks waits in vain from here on. */
	container_answer_start(process, NULL);
	if (container->undone)
		on_poststop(NULL, container);
	else if (!container->undoing)
		container_hooks_run(container, HOOKS_STOPPED, on_hooks_over, container);
}

static void on_deleted(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (err)
		log_warn("delete: %s", err->msg);
	/* What the guest could not free, or does not answer for, goes with the VM. */
	finish_deletion(data);
}

/* A sandbox container and an exec that was only added are unknown there. */
static bool is_in_guest(const struct process *process)
{
	const struct container *container = process->container;

	return container->state == CONTAINER_CREATED && !container->sandbox &&
	       (process == &container->init || process->state == PROCESS_STOPPED);
}

void container_delete_process(struct process *process, struct rpc_call *call)
{
	Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
	struct container *container = process->container;
	struct shim *shim = container->shim;

	/* A second Delete while the first is under way finds no such process. */
	process->delete_call = call;
	request.id = container->id;
	request.exec_id = process->exec_id;
	if (!is_in_guest(process) || agent_client_call(shim->sandbox.agent, "Delete", &request.base,
						       DELETE_TIMEOUT_MS, on_deleted, process) < 0)
		finish_deletion(process);
}

void container_let_go(struct container *container)
{
	if (container->init.delete_call)
		on_poststop(NULL, container);
	else
		container_free(container);
}
