/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container: start, exec, and what init's end means for the pod. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/container.h"
#include "shim/container_hooks.h"
#include "shim/grace.h"
#include "shim/shim.h"
#include "shim/shim_task_internal.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"
#include "shim/task_events.h"

#define TIMEOUT_STATUS 124
#define MAX_EXECS      256

void container_answer_start(struct process *process, const struct err *poststart)
{
	Task__StartResponse response = TASK__START_RESPONSE__INIT;
	struct hypervisor *hv = process->container->shim->sandbox.hv;

	if (!process->start)
		return;
	response.pid = hv ? (uint32_t)hv->pid : 0;
	if (poststart)
		response.warning = (char *)(uintptr_t)poststart->msg;
	rpc_reply(TAKE_PTR(process->start), &response.base);
}

struct err container_refusal(const struct err *why)
{
	static const int kept[] = {ECANCELED, EPIPE, ETIMEDOUT, EBUSY};
	struct err err = *why;

	err.code = EIO;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (why->code == kept[i])
			err.code = why->code;
	return err;
}

static void refuse_start(struct process *process, const struct err *why)
{
	struct err err = container_refusal(why);

	rpc_fail(TAKE_PTR(process->start), &err);
}

static void on_poststart(const struct err *err, void *data)
{
	container_answer_start(data, err);
}

static void on_started(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct process *process = data;
	struct container *container = process->container;
	struct shim *shim = container->shim;
	bool init = process == &container->init;

	/* Why the agent's connection ended is the sandbox's to judge, which then fails us. */
	if (!process->start || (err && err->code == ECONNRESET))
		return;
	if (err) {
		process->never_ran = true;
		/* Init's exit status comes from the agent, 126 or 127, as it would by a shell. */
		refuse_start(process, err);
		if (!init)
			process_end(process, err->code == ENOENT ? 127 : 126);
		return;
	}
	if (process->state == PROCESS_STARTING)
		process->state = PROCESS_RUNNING;
	task_event_started(process);
	if (init) {
		stages_mark(&shim->sandbox.stages, "process started");
		shim->record.status = RECORD_RUNNING;
		shim_save_record(shim);
		if (container->timeout_ns)
			source_arm(container->timeout, container->timeout_ns);
	} else {
		process_watch(process);
		process_release_kills(process);
		if (process->orphan)
			container_end_exec(process);
	}
	if (init)
		container_hooks_run(container, HOOKS_STARTED, on_poststart, process);
	else
		container_answer_start(process, NULL);
}

static int ask_start(struct process *process)
{
	struct container *container = process->container;
	Agent__Copy copy = AGENT__COPY__INIT;
	Agent__ProcessRequest start = AGENT__PROCESS_REQUEST__INIT;
	Agent__ExecRequest exec = AGENT__EXEC_REQUEST__INIT;
	Agent__Streams streams = AGENT__STREAMS__INIT;
	struct shim *shim = container->shim;
	int r;

	if (process == &container->init) {
		start.id = container->id;
		return agent_client_call(shim->sandbox.agent, "Start", &start.base, 0, on_started,
					 process);
	}
	r = spec_guest_build_process(process->spec, &process->spec->process, &exec.process, NULL);
	if (r == 0)
		r = stdio_expect(process->stdio, shim->sandbox.hub, &streams);
	if (r < 0)
		return r;
	if (process->resized) {
		exec.process->console_rows = process->rows;
		exec.process->console_columns = process->columns;
	}
	exec.id = container->id;
	exec.exec_id = process->exec_id;
	exec.streams = &streams;
	if (process->copy) {
		copy.path = process->copy->path;
		copy.in = process->copy->in;
		copy.name = process->copy->name;
		copy.keep_owners = process->copy->keep_owners;
		exec.copy = &copy;
	}
	exec.cgroup = process->cgroup ? process->cgroup : (char *)protobuf_c_empty_string;
	r = agent_client_call(shim->sandbox.agent, "Exec", &exec.base, 0, on_started, process);
	spec_free(TAKE_PTR(process->spec));
	return r;
}

static void go_on(struct process *process)
{
	struct err err = ERR_INIT;
	int r = ask_start(process);

	if (r == 0)
		return;
	err_set_errno(&err, -r, "cannot ask the agent to start it");
	rpc_fail(TAKE_PTR(process->start), &err);
	process_end(process, 126);
}

static void on_net(struct container *container, const struct err *err)
{
	struct process *init = &container->init;

	if (!init->start)
		return;
	if (!err) {
		go_on(init);
		return;
	}
	/* Told once it has ended: then its client can delete it. */
	init->never_ran = true;
	container->failed = container_refusal(err);
	container_end_created(container);
}

void container_start_process(struct process *process, struct rpc_call *call)
{
	process->state = PROCESS_STARTING;
	process->start = call;
	if (process->container->sandbox)
		on_started(NULL, NULL, process);
	else if (process == &process->container->init)
		container_net_take(process->container, on_net);
	else
		go_on(process);
}

/* A message of its own, as the request goes with its call. */
static Task__Copy *duplicate(const Task__Copy *copy)
{
	size_t size = protobuf_c_message_get_packed_size(&copy->base);
	_cleanup_free_ uint8_t *buf = malloc(size + 1);

	if (!buf)
		return NULL;
	protobuf_c_message_pack(&copy->base, buf);
	return (Task__Copy *)protobuf_c_message_unpack(&task__copy__descriptor, NULL, size, buf);
}

int container_add_exec(struct container *container, const Task__ExecProcessRequest *req,
		       struct rpc_call *call, struct err *err)
{
	const struct stdio_request uris = {
		.terminal = req->terminal,
		.clear_onlcr = req->clear_onlcr,
		.in = req->stdin,
		.out = req->stdout,
		.err = req->stderr,
	};
	Spec__Process *checked;
	struct process *process;
	unsigned n = 0;
	int r;

	for (struct list *it = container->execs.next; it != &container->execs; it = it->next)
		n++;
	if (n >= MAX_EXECS)
		return err_set(err, ENOBUFS, "%u execs are there already", n);
	if (!req->spec)
		return err_set(err, EINVAL, "exec: spec missing");
	process = calloc(1, sizeof(*process));
	if (!process)
		return err_set(err, ENOMEM, "out of memory");
	r = process_init(process, container, req->exec_id, &uris, call, err);
	if (r == 0)
		r = spec_parse_process((const char *)req->spec->value.data, req->spec->value.len,
				       &process->spec, err);
	if (r == 0)
		r = spec_guest_build_process(process->spec, &process->spec->process, &checked, err);
	if (r == 0 && req->copy && !(process->copy = duplicate(req->copy)))
		r = err_set(err, ENOMEM, "out of memory");
	process->ignore_paused = req->ignore_paused;
	process->stand_in = (pid_t)req->stand_in;
	if (r == 0 && req->cgroup[0] && !(process->cgroup = strdup(req->cgroup)))
		r = err_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		process_finish(process);
		free(process);
		return r;
	}
	/* CRI gives each exec its container's labels and profiles: of those there was word at the create. */
	if (!container->cri)
		container_log_notes(process->spec);
	list_append(&container->execs, &process->link);
	task_event_exec_added(process);
	return 0;
}

bool container_process_may_stop(struct process *process)
{
	struct container *container = process->container;
	struct list *it, *tmp;
	bool may = true;

	if (process != &container->init)
		return true;
	/* They die with it, and their ends are told first; but what one of them holds up ends soon. */
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);

		if (exec->state == PROCESS_STARTING || exec->state == PROCESS_RUNNING) {
			process_killed(exec);
			may = false;
		}
	}
	return may;
}

/* Who wants to be rid of a pod must get there. Neighbours that nobody has killed may go on. */
void container_unkillable(struct container *container)
{
	struct shim *shim = container->shim;
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->containers) {
		const struct container *other = list_entry(it, struct container, link);

		if (!other->sandbox && other->init.state != PROCESS_STOPPED && !other->init.killed)
			return;
	}
	sandbox_give_up(&shim->sandbox, "it does not end what was killed");
}

/* The root file system and what else was mounted in the guest has been written. */
static void on_emptied(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct container *container = data;

	if (err)
		log_warn("the end of %s: %s", container->id, err->msg);
	/* Its input may be open still, and goes with the machine. */
	stdio_drop(container->init.stdio);
	sandbox_stop(&container->shim->sandbox);
}

bool container_lets_go(struct container *container)
{
	Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
	struct shim *shim = container->shim;

	if (container->letting_go)
		return true;
	/* Only containerd's clients leave a task that has ended lying about; the others delete it at once. */
	if (!container->alone || shim->containers.next != shim->containers.prev ||
	    shim->pod_service || !shim->publisher || shim->sandbox.state != SANDBOX_READY)
		return false;
	request.id = container->id;
	container->letting_go = agent_client_call(shim->sandbox.agent, "Delete", &request.base, 0,
						  on_emptied, container) == 0;
	if (container->letting_go) {
		grace_begin();
		/* A guest that does not answer is not waited for longer than for one that is to die. */
		process_killed(&container->init);
	}
	return container->letting_go;
}

static void init_stopped(struct container *container)
{
	struct shim *shim = container->shim;
	struct process *init = &container->init;

	/* It has no network, or was killed while it waited for that. */
	if (TAKE_PTR(container->net_taken))
		err_set(&container->failed, EIO, "the container has ended before its start");
	if (container->failed.code && init->start)
		rpc_fail(TAKE_PTR(init->start), &container->failed);
	if (container->timeout)
		source_arm(container->timeout, 0);
	if (container->timed_out)
		init->exit_status = TIMEOUT_STATUS;
	stages_mark(&shim->sandbox.stages, "exit");
	shim->record.status = RECORD_STOPPED;
	shim->record.exit_status = init->exit_status;
	shim->record.exited_ns = init->exited_at_ns;
	shim_save_record(shim);
	if (shim->record.detached)
		shim_shut_down(shim, NULL);
}

void container_process_stopped(struct process *process)
{
	struct container *container = process->container;

	if (process == &container->init) {
		init_stopped(container);
		task_release_starts(container);
	}
	if (!process->never_ran)
		task_event_exited(process);
}

void container_process_settled(struct process *process)
{
	struct container *container = process->container;

	if (process != &container->init) {
		if (process->orphan)
			container_drop_exec(process);
		process_stop_if_complete(&container->init);
	} else if (container->delete) {
		container_delete_process(process, TAKE_PTR(container->delete));
	}
}
