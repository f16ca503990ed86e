/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/task_events.h"

#include "events.pb-c.h"
#include "shim/container.h"
#include "shim/publisher.h"
#include "shim/shim.h"

static void send(const struct container *container, const char *topic,
		 const ProtobufCMessage *event)
{
	publisher_send(container->shim->publisher, topic, event);
}

/* Every process's: the VM monitor is what the host sees of any of them. */
static uint32_t host_pid(const struct container *container)
{
	const struct hypervisor *hv = container->shim->sandbox.hv;

	return hv ? (uint32_t)hv->pid : 0;
}

/* An exec's id, or its container's where it is init. */
static char *event_id(const struct process *process)
{
	return process->exec_id[0] ? process->exec_id : process->container->id;
}

void task_event_created(const struct container *container, const Task__CreateTaskRequest *req)
{
	Events__TaskCreate event = EVENTS__TASK_CREATE__INIT;
	Events__TaskIO io = EVENTS__TASK_IO__INIT;

	io.stdin = req->stdin;
	io.stdout = req->stdout;
	io.stderr = req->stderr;
	io.terminal = req->terminal;
	event.container_id = container->id;
	event.bundle = container->bundle;
	event.rootfs = req->rootfs;
	event.n_rootfs = req->n_rootfs;
	event.io = &io;
	event.checkpoint = req->checkpoint;
	event.pid = host_pid(container);
	send(container, "/tasks/create", &event.base);
}

void task_event_exec_added(const struct process *process)
{
	Events__TaskExecAdded event = EVENTS__TASK_EXEC_ADDED__INIT;

	event.container_id = process->container->id;
	event.exec_id = process->exec_id;
	send(process->container, "/tasks/exec-added", &event.base);
}

void task_event_started(const struct process *process)
{
	Events__TaskExecStarted exec = EVENTS__TASK_EXEC_STARTED__INIT;
	Events__TaskStart init = EVENTS__TASK_START__INIT;

	if (process->exec_id[0]) {
		exec.container_id = process->container->id;
		exec.exec_id = process->exec_id;
		exec.pid = host_pid(process->container);
		send(process->container, "/tasks/exec-started", &exec.base);
		return;
	}
	init.container_id = process->container->id;
	init.pid = host_pid(process->container);
	send(process->container, "/tasks/start", &init.base);
}

void task_event_exited(const struct process *process)
{
	Events__TaskExit event = EVENTS__TASK_EXIT__INIT;
	Google__Timestamp at;

	event.container_id = process->container->id;
	event.id = event_id(process);
	event.pid = host_pid(process->container);
	event.exit_status = process->exit_status;
	event.exited_at = container_timestamp(process->exited_at_ns, &at);
	send(process->container, "/tasks/exit", &event.base);
}

void task_event_deleted(const struct process *process)
{
	Events__TaskDelete event = EVENTS__TASK_DELETE__INIT;
	Google__Timestamp at;

	if (process->exec_id[0])
		return;
	event.container_id = process->container->id;
	event.id = event_id(process);
	event.pid = host_pid(process->container);
	event.exit_status = process->exit_status;
	event.exited_at = container_timestamp(process->exited_at_ns, &at);
	send(process->container, "/tasks/delete", &event.base);
}

void task_event_paused(const struct container *container, bool paused)
{
	Events__TaskResumed resumed_event = EVENTS__TASK_RESUMED__INIT;
	Events__TaskPaused paused_event = EVENTS__TASK_PAUSED__INIT;

	paused_event.container_id = resumed_event.container_id = container->id;
	if (paused)
		send(container, "/tasks/paused", &paused_event.base);
	else
		send(container, "/tasks/resumed", &resumed_event.base);
}

void task_event_oom(const struct container *container)
{
	Events__TaskOOM event = EVENTS__TASK_OOM__INIT;

	event.container_id = container->id;
	send(container, "/tasks/oom", &event.base);
}
