/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a container is NEW until the agent has it. Its init is watched (process_watch)
 * from the moment of its creation, so that no exit can be missed; its start only lets it go on.
 *
 * An object is freed only when no call to the agent carries it: a process when it is STOPPED, since
 * then its Wait has been answered, and with its Delete; all others with the agent's connection, whose
 * end answers every call. A call of a client that is kept here (create, start) is taken out before it
 * is answered, so whoever comes second finds nothing to answer.
 */
#include "shim/container.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/opts.h"
#include "shim/image.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

#define TIMEOUT_STATUS   124
#define TIMEOUT_GRACE_NS (2 * 1000000000ull)
#define MAX_EXECS        256

Google__Timestamp *container_timestamp(uint64_t ns, Google__Timestamp *ret)
{
	google__timestamp__init(ret);
	/* Go's zero time, which containerd takes for "not yet". */
	ret->seconds = ns ? (int64_t)(ns / 1000000000u) : -62135596800;
	ret->nanos = (int32_t)(ns % 1000000000u);
	return ret;
}

struct container *container_find(struct shim *shim, const char *id)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->containers)
		if (strcmp(list_entry(it, struct container, link)->id, id) == 0)
			return list_entry(it, struct container, link);
	return NULL;
}

struct process *container_find_process(struct container *container, const char *exec_id)
{
	struct list *it, *tmp;

	if (!exec_id[0])
		return &container->init;
	list_for_each_safe (it, tmp, &container->execs)
		if (strcmp(list_entry(it, struct process, link)->exec_id, exec_id) == 0)
			return list_entry(it, struct process, link);
	return NULL;
}

/* --- creation --------------------------------------------------------------------------------- */

static int read_bundle(struct container *container, struct err *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r;

	if (container->bundle[0] != '/' || asprintf(&path, "%s/config.json", container->bundle) < 0)
		return err_set(err, EINVAL, "bundle: not an absolute path");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, &text, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	r = spec_parse(text, size, &container->spec, err);
	return r < 0 ? r : spec_guest_build(container->spec, &container->guest_spec, err);
}

static void on_kill_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* The exit that follows says it all. */
	if (err)
		log_info("kill: %s", err->msg);
}

static void send_kill(struct container *container, uint32_t signo, bool all)
{
	Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

	request.id = container->id;
	request.signal = signo;
	request.all = all;
	agent_client_call(container->shim->sandbox.agent, "Kill", &request.base, 0, on_kill_answer,
			  NULL);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	struct container *container = data;

	if (container->init.state == PROCESS_STOPPED)
		return;
	send_kill(container, container->timed_out ? SIGKILL : SIGTERM, container->timed_out);
	if (container->timed_out)
		process_killed(&container->init);
	else
		source_arm(source, TIMEOUT_GRACE_NS);
	container->timed_out = true;
}

static int read_timeout(struct container *container, struct err *err)
{
	const char *text = spec_annotation(container->spec, "sbx.timeout-ns");
	int r;

	if (!text)
		return 0;
	if (parse_uint(text, &container->timeout_ns) < 0)
		return err_set(err, EINVAL, "config.json: annotation sbx.timeout-ns: not a number");
	r = loop_add_timer(container->shim->loop, on_timeout, container, &container->timeout);
	return r < 0 ? err_set_errno(err, -r, "cannot make a timer") : 0;
}

static int open_parts(struct container *container, const Task__CreateTaskRequest *req,
		      struct rpc_call *call, struct err *err)
{
	const struct stdio_request uris = {
		.terminal = req->terminal,
		.in = req->stdin,
		.out = req->stdout,
		.err = req->stderr,
	};
	int r = process_init(&container->init, container, "", &uris, call, err);

	if (r == 0)
		r = read_bundle(container, err);
	if (r == 0)
		r = read_timeout(container, err);
	if (r == 0)
		r = rootfs_plan(req->rootfs, req->n_rootfs, &container->rootfs, err);
	if (r < 0)
		return r;
	container->image_fd = image_open(container->rootfs.image, err);
	return container->image_fd < 0 ? container->image_fd : 0;
}

int container_create(struct shim *shim, const Task__CreateTaskRequest *req, struct rpc_call *call,
		     struct container **ret, struct err *err)
{
	struct container *container = calloc(1, sizeof(*container));
	int r;

	if (!container)
		return err_set(err, ENOMEM, "out of memory");
	container->shim = shim;
	container->image_fd = -1;
	container->id = strdup(req->id);
	container->bundle = strdup(req->bundle);
	list_init(&container->link);
	list_init(&container->execs);
	list_init(&container->init.link);
	list_init(&container->init.waiters);
	r = container->id && container->bundle ? open_parts(container, req, call, err)
					       : err_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		container_free(container);
		return r;
	}
	container->create = call;
	*ret = container;
	return 0;
}

void container_free(struct container *container)
{
	struct list *it, *tmp;

	if (!container)
		return;
	list_remove(&container->link);
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *process = list_entry(it, struct process, link);

		process_finish(process);
		free(process);
	}
	process_finish(&container->init);
	source_remove(container->timeout);
	spec_free(container->spec);
	close_fd(&container->image_fd);
	free(container->id);
	free(container->bundle);
	free(container);
}

static void on_created(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct container *container = data;
	Task__CreateTaskResponse response = TASK__CREATE_TASK_RESPONSE__INIT;
	struct shim *shim = container->shim;

	if (!container->create)
		return;
	if (err) {
		rpc_fail(TAKE_PTR(container->create), err);
		container_free(container);
		return;
	}
	stages_mark(&shim->sandbox.stages, "rootfs mounted");
	spec_free(TAKE_PTR(container->spec));
	container->guest_spec = NULL;
	container->state = CONTAINER_CREATED;
	process_watch(&container->init);
	response.pid = (uint32_t)shim->sandbox.hv->pid;
	rpc_reply(TAKE_PTR(container->create), &response.base);
}

void container_enter(struct container *container)
{
	Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
	Agent__Streams streams = AGENT__STREAMS__INIT;
	struct shim *shim = container->shim;
	struct rootfs_message rootfs;
	struct err err = ERR_INIT;
	int r;

	rootfs_message_fill(&container->rootfs, 0, &rootfs);
	request.id = container->id;
	request.rootfs = &rootfs.rootfs;
	request.spec = container->guest_spec;
	request.streams = &streams;
	r = stdio_expect(container->init.stdio, shim->sandbox.hub, &streams);
	if (r == 0)
		r = agent_client_call(shim->sandbox.agent, "Create", &request.base, 0, on_created,
				      container);
	if (r == 0)
		return;
	err_set_errno(&err, -r, "cannot ask the agent for a container");
	rpc_fail(TAKE_PTR(container->create), &err);
	container_free(container);
}

void container_fail(struct container *container, const struct err *err)
{
	struct list *it, *tmp;

	if (container->create)
		rpc_fail(TAKE_PTR(container->create), err);
	list_for_each_safe (it, tmp, &container->execs)
		process_fail(list_entry(it, struct process, link), err);
	process_fail(&container->init, err);
}

/* --- processes -------------------------------------------------------------------------------- */

static void on_started(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct process *process = data;
	struct container *container = process->container;
	struct shim *shim = container->shim;
	Task__StartResponse response = TASK__START_RESPONSE__INIT;
	bool init = process == &container->init;

	if (!process->start)
		return;
	if (err) {
		/* Init's exit status comes from the agent, 126 or 127, as it would by a shell. */
		rpc_fail(TAKE_PTR(process->start), err);
		if (!init)
			process_end(process, err->code == ENOENT ? 127 : 126);
		return;
	}
	if (process->state == PROCESS_STARTING)
		process->state = PROCESS_RUNNING;
	if (init) {
		stages_mark(&shim->sandbox.stages, "process started");
		shim->record.status = RECORD_RUNNING;
		shim_save_record(shim);
		if (container->timeout_ns)
			source_arm(container->timeout, container->timeout_ns);
	} else {
		process_watch(process);
	}
	response.pid = (uint32_t)shim->sandbox.hv->pid;
	rpc_reply(TAKE_PTR(process->start), &response.base);
}

static int ask_start(struct process *process)
{
	struct container *container = process->container;
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
	exec.id = container->id;
	exec.exec_id = process->exec_id;
	exec.streams = &streams;
	r = agent_client_call(shim->sandbox.agent, "Exec", &exec.base, 0, on_started, process);
	spec_free(TAKE_PTR(process->spec));
	return r;
}

void container_start_process(struct process *process, struct rpc_call *call)
{
	struct err err = ERR_INIT;
	int r;

	process->state = PROCESS_STARTING;
	process->start = call;
	r = ask_start(process);
	if (r == 0)
		return;
	err_set_errno(&err, -r, "cannot ask the agent to start it");
	rpc_fail(TAKE_PTR(process->start), &err);
	process_end(process, 126);
}

int container_add_exec(struct container *container, const Task__ExecProcessRequest *req,
		       struct rpc_call *call, struct err *err)
{
	const struct stdio_request uris = {
		.terminal = req->terminal,
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
	if (r < 0) {
		process_finish(process);
		free(process);
		return r;
	}
	list_append(&container->execs, &process->link);
	return 0;
}

struct deletion {
	struct rpc_call *call;
	struct process *process;
};

static void finish_deletion(struct process *process, struct rpc_call *call)
{
	Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
	struct container *container = process->container;
	Google__Timestamp at;

	response.exit_status = process->exit_status;
	response.exited_at = container_timestamp(process->exited_at_ns, &at);
	rpc_reply(call, &response.base);
	if (process == &container->init) {
		container_free(container);
		return;
	}
	process_finish(process);
	free(process);
}

static void on_deleted(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct deletion deletion = *(struct deletion *)data;

	free(data);
	if (err)
		log_warn("delete: %s", err->msg);
	/* What the guest could not free goes with the VM. */
	finish_deletion(deletion.process, deletion.call);
}

void container_delete_process(struct process *process, struct rpc_call *call)
{
	Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;
	struct container *container = process->container;
	struct shim *shim = container->shim;
	struct deletion *deletion;

	/* A second Delete while the first is under way finds no such process. */
	list_remove(process == &container->init ? &container->link : &process->link);
	deletion = malloc(sizeof(*deletion));
	request.id = container->id;
	request.exec_id = process->exec_id;
	if (deletion)
		*deletion = (struct deletion){call, process};
	if (!deletion || container->state != CONTAINER_CREATED ||
	    agent_client_call(shim->sandbox.agent, "Delete", &request.base, 0, on_deleted,
			      deletion) < 0) {
		free(deletion);
		finish_deletion(process, call);
	}
}

void container_process_stopped(struct process *process)
{
	struct container *container = process->container;
	struct shim *shim = container->shim;

	if (process != &container->init)
		return;
	if (container->timeout)
		source_arm(container->timeout, 0);
	if (container->timed_out)
		process->exit_status = TIMEOUT_STATUS;
	stages_mark(&shim->sandbox.stages, "exit");
	shim->record.status = RECORD_STOPPED;
	shim->record.exit_status = process->exit_status;
	shim->record.exited_ns = process->exited_at_ns;
	shim_save_record(shim);
	if (shim->record.detached)
		shim_shut_down(shim, NULL);
}
