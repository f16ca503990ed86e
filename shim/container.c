/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a container is NEW until the agent has it. Its init is watched (process_watch)
 * from the moment of its creation, so that no exit can be missed; its start only lets it go on.
 *
 * The guest answers when and as it likes, or never. So an object that is freed has its calls to the agent
 * forgotten (agent_client_forget), and one whose Delete is under way stays in its list, where nobody finds
 * it any more: what ends everything finds it, too. The monitor and the file server have lost their
 * connections when the sandbox has failed (on_sandbox_failed), and with it every call that carries a
 * container. A call of a client that is kept here (create, start) is taken out before it is answered, so
 * whoever comes second finds nothing to answer.
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
#include "shim/container_hooks.h"
#include "shim/container_oom.h"
#include "shim/host_mount.h"
#include "shim/image.h"
#include "shim/pod_grow.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "shim/task_events.h"

#define TIMEOUT_GRACE_NS (2 * 1000000000ull)

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

	list_for_each_safe (it, tmp, &shim->containers) {
		struct container *container = list_entry(it, struct container, link);

		if (!container->init.delete_call && strcmp(container->id, id) == 0)
			return container;
	}
	return NULL;
}

struct process *container_find_process(struct container *container, const char *exec_id)
{
	struct list *it, *tmp;

	if (!exec_id[0])
		return &container->init;
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);

		if (!exec->delete_call && strcmp(exec->exec_id, exec_id) == 0)
			return exec;
	}
	return NULL;
}

/* --- creation --------------------------------------------------------------------------------- */

static void on_kill_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* The exit that follows says it all. */
	if (err)
		log_info("kill: %s", err->msg);
}

void container_kill(struct container *container, uint32_t signo, bool all)
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
	container_kill(container, container->timed_out ? SIGKILL : SIGTERM, container->timed_out);
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

/* What the host mounts is shared by a clone, and so need not stay mounted. */
static int open_shares(struct container *container, const Task__CreateTaskRequest *req,
		       struct err *err)
{
	size_t n = container->rootfs.mounted ? req->n_rootfs : 0;
	_cleanup_free_ char *target = NULL;
	int r;

	if (asprintf(&target, "%s/rootfs", container->bundle) < 0)
		return err_set(err, ENOMEM, "out of memory");
	if (n && container->shim->own_pod)
		return err_set(err, EINVAL, "rootfs of type %.32s: not supported",
			       req->rootfs[0]->type);
	r = n ? host_mount_all(req->rootfs, n, target, err) : 0;
	if (r < 0)
		return r;
	r = container_shares_open(container, !container->rootfs.image, err);
	host_mount_undo(n, target);
	return r;
}

static int open_parts(struct container *container, const Task__CreateTaskRequest *req,
		      struct rpc_call *call, struct err *err)
{
	const struct stdio_request uris = {
		.terminal = req->terminal,
		.clear_onlcr = req->clear_onlcr,
		.in = req->stdin,
		.out = req->stdout,
		.err = req->stderr,
	};
	int r = process_init(&container->init, container, "", &uris, call, err);

	if (r == 0)
		r = container_read_bundle(container, err);
	if (r == 0)
		r = read_timeout(container, err);
	if (r < 0 || container->sandbox)
		return r;
	r = rootfs_plan(req->rootfs, req->n_rootfs, &container->rootfs, err);
	if (r == 0)
		r = open_shares(container, req, err);
	if (r < 0 || !container->rootfs.image)
		return r;
	container->image_fd = image_open(container->rootfs.image, container->rootfs.writable, err);
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
	container->image_fd = container->slot = -1;
	container->id = strdup(req->id);
	container->bundle = strdup(req->bundle);
	list_init(&container->link);
	list_init(&container->execs);
	container->init.container = container;
	list_init(&container->init.link);
	list_init(&container->init.waiters);
	list_init(&container->init.kills);
	r = container->id && container->bundle ? open_parts(container, req, call, err)
					       : err_set(err, ENOMEM, "out of memory");
	if (r < 0) {
		container_free(container);
		return r;
	}
	container->create = call;
	container->request = req;
	container->stand_in = (pid_t)req->stand_in;
	*ret = container;
	return 0;
}

void container_free(struct container *container)
{
	struct shim *shim;
	struct list *it, *tmp;

	if (!container)
		return;
	shim = container->shim;
	agent_client_forget(shim->sandbox.agent, container);
	list_remove(&container->link);
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *process = list_entry(it, struct process, link);

		process_finish(process);
		free(process);
	}
	process_finish(&container->init);
	source_remove(container->timeout);
	source_remove(container->oom_pause);
	container_shares_finish(container);
	hooks_cancel(container->hooks);
	spec_free(container->spec);
	close_fd(&container->image_fd);
	if (container->slot >= 0)
		shim_free_slot(shim, container->slot);
	free(container->id);
	free(container->bundle);
	free(container);
	shim_end_if_unused(shim);
}

static void answer_create(struct container *container)
{
	Task__CreateTaskResponse response = TASK__CREATE_TASK_RESPONSE__INIT;

	container_hooks_keep(container);
	container->guest_spec = NULL;
	container->state = CONTAINER_CREATED;
	task_event_created(container, TAKE_PTR(container->request));
	response.pid = (uint32_t)container->shim->sandbox.hv->pid;
	rpc_reply(TAKE_PTR(container->create), &response.base);
	if (container->orphan)
		container_end_orphan(container);
}

/* poststop has run, where it had to. */
static void on_given_up(const struct err *err, void *data)
{
	struct container *container = data;

	container->undone = container->undoing;
	/* The VM ended meanwhile, and Create was answered. */
	if (!container->create) {
		if (container->init.delete_call)
			container_let_go(container);
		return;
	}
	rpc_fail(TAKE_PTR(container->create), &container->failed);
	container_free(container);
}

/* The runtime-spec: what hooks of a creation that failed have made, poststop hooks undo. */
static void fail_create(struct container *container, const struct err *err)
{
	/* A copy, as err may be a part of the hooks' run that ends here. */
	container->failed = *err;
	container->undoing = container->hooks_begun;
	if (container->undoing)
		container_hooks_run(container, HOOKS_STOPPED, on_given_up, container);
	else
		on_given_up(NULL, container);
}

static void on_created(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct container *container = data;
	struct err why;

	/* Why the agent's connection ended is the sandbox's to judge, which then fails us. */
	if (!container->create || (err && err->code == ECONNRESET))
		return;
	if (err) {
		why = container_refusal(err);
		fail_create(container, &why);
		return;
	}
	stages_mark(&container->shim->sandbox.stages, "rootfs mounted");
	process_watch(&container->init);
	if (container->shim->publisher)
		container_oom_watch(container);
	answer_create(container);
}

static void create_in_guest(struct container *container)
{
	Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;
	Agent__Streams streams = AGENT__STREAMS__INIT;
	struct shim *shim = container->shim;
	struct rootfs_message rootfs;
	char *gone[MEMORY_VOLUMES_MAX];
	struct err err = ERR_INIT;
	int r;

	rootfs_message_fill(&container->rootfs, (uint32_t)container->slot, container->shares.rootfs,
			    &rootfs);
	request.id = container->id;
	request.rootfs = &rootfs.rootfs;
	request.spec = container->guest_spec;
	request.streams = &streams;
	/* Where engines expect it, as with runc; `sbx run` wants the exit status that comes of its start. */
	request.find_program = !shim->own_pod;
	request.n_gone_volumes = memory_volumes_gone(&shim->volumes, gone);
	request.gone_volumes = gone;
	r = stdio_expect(container->init.stdio, shim->sandbox.hub, &streams);
	if (r == 0)
		r = agent_client_call(shim->sandbox.agent, "Create", &request.base, 0, on_created,
				      container);
	if (r == 0) {
		memory_volumes_forget(&shim->volumes);
		return;
	}
	err_set_errno(&err, -r, "cannot ask the agent for a container");
	fail_create(container, &err);
}

/* prestart and createRuntime have run: all that they wait for, the VM, is there. */
static void on_hooks(const struct err *err, void *data)
{
	struct container *container = data;

	if (!container->create)
		return;
	if (err)
		fail_create(container, err);
	else
		create_in_guest(container);
}

void container_shared(struct container *container)
{
	/* The VM ended meanwhile, and Create was answered. */
	if (!container->create)
		return;
	if (container->shares.err.code) {
		fail_create(container, &container->shares.err);
		return;
	}
	container->hooks_begun = true;
	container_hooks_run(container, HOOKS_CREATE, on_hooks, container);
}

static void on_attached(const struct err *err, void *data)
{
	struct container *container = data;

	if (!container->create)
		return;
	if (err)
		fail_create(container, err);
	else
		container_shares_add(container);
}

/* The machine is as large as it gets. */
static void on_room(void *data)
{
	struct container *container = data;
	const struct hypervisor_disk disk = {.fd = container->image_fd,
					     .readonly = !container->rootfs.writable};
	struct hypervisor *hv = container->shim->sandbox.hv;
	struct err err = ERR_INIT;
	int r;

	/* The VM ended meanwhile, and Create was answered. */
	if (!container->create)
		return;
	/* The pod's first container's image was there from the start; a directory needs no disk. */
	if (container->slot >= 0 || container->image_fd < 0) {
		container_shares_add(container);
		return;
	}
	container->slot = shim_take_slot(container->shim);
	if (container->slot < 0)
		r = err_set(&err, ENOSPC, "all disk slots of the pod are taken");
	else if (!hv->ops->attach_disk)
		r = err_set(&err, ENOSYS, "hypervisor %s: no disks while it runs", hv->ops->name);
	else
		r = hv->ops->attach_disk(hv, (unsigned)container->slot, &disk, on_attached,
					 container);
	if (r == 0)
		return;
	if (!err.code)
		err_set_errno(&err, -r, "cannot attach the root file system");
	fail_create(container, &err);
}

void container_enter(struct container *container)
{
	if (container->sandbox)
		answer_create(container);
	else
		pod_grow(container->shim, on_room, container);
}

void container_fail(struct container *container, const struct err *err)
{
	/* It would be carried out as soon as init has stopped, and nothing be left of the container. */
	struct rpc_call *delete = TAKE_PTR(container->delete);
	struct list *it, *tmp;

	if (container->create) {
		container->init.never_ran = true;
		rpc_fail(TAKE_PTR(container->create), err);
	}
	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);

		/* What was only added to one that has ended by itself stays as it is. */
		if (!container->letting_go || exec->state != PROCESS_CREATED)
			process_fail(exec, err);
	}
	process_fail(&container->init, err);
	if (delete)
		container_delete_process(&container->init, delete);
}
