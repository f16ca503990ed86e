/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: how a container comes into the guest. It is NEW until the agent has it, and gets there
 * in steps, any of which may fail, and each of which the end of the machine cuts short:
 *
 *	room		the machine grows, where the pod's containers need more (pod_grow)
 *	root		its image is attached, or its folders are added to what the file server shows
 *	hooks		the host's, of its creation
 *	guest		the agent makes it; its init is watched (process_watch) from then on, so that no exit
 *			can be missed, and its start only lets it go on
 *
 * Once hooks have begun, poststop hooks run before a failure is told. Who deletes a container on its way
 * ends that at the next step, or has its hooks killed; in the guest it is made first, and deleted then.
 */
#include <errno.h>

#include "common/log.h"
#include "shim/container.h"
#include "shim/container_hooks.h"
#include "shim/container_oom.h"
#include "shim/hooks_due.h"
#include "shim/pod_grow.h"
#include "shim/shim.h"
#include "shim/task_events.h"

/* poststop has run, where it had to. */
static void on_given_up(const struct err *err, void *data)
{
	struct container *container = data;

	container->undone = container->undoing;
	hooks_due_over(TAKE_PTR(container->due));
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

/* err: of the last step; NULL: it went well. Whether the next is to be made; else Create is answered, or will be. */
static bool goes_on(struct container *container, const struct err *err)
{
	struct err deleted = ERR_INIT;

	/* The VM ended meanwhile, or poststop runs. */
	if (!container->create || container->undoing)
		return false;
	if (container->delete) {
		err_set(&deleted, ECANCELED,
			"the container was deleted while it was being created");
		err = &deleted;
	}
	if (err)
		fail_create(container, err);
	return !err;
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
	if (container->delete)
		container_end_created(container);
	else if (container->orphan)
		container_end_orphan(container);
}

static void on_created(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct container *container = data;
	struct err why;

	/* Why the agent's connection ended is the sandbox's to judge, which then fails us. */
	if (!container->create || container->undoing || (err && err->code == ECONNRESET))
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
		container->asked = true;
		return;
	}
	err_set_errno(&err, -r, "cannot ask the agent for a container");
	fail_create(container, &err);
}

/* prestart and createRuntime have run: all that they wait for, the VM, is there. */
static void on_hooks(const struct err *err, void *data)
{
	struct container *container = data;

	if (goes_on(container, err))
		create_in_guest(container);
}

void container_shared(struct container *container)
{
	struct err err = ERR_INIT;

	if (!goes_on(container, container->shares.err.code ? &container->shares.err : NULL))
		return;
	if (container->request && container->request->poststop[0] &&
	    hooks_due_create(container->request->poststop, &container->due, &err) < 0) {
		fail_create(container, &err);
		return;
	}
	container->hooks_begun = true;
	container_hooks_run(container, HOOKS_CREATE, on_hooks, container);
}

static void on_attached(const struct err *err, void *data)
{
	struct container *container = data;

	if (goes_on(container, err))
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

	if (!goes_on(container, NULL))
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

void container_cancel(struct container *container)
{
	if (container->hooks_begun && !container->asked)
		goes_on(container, NULL);
}

/* Whether its Create is answered only when poststop hooks have run; a shim that ends has no time for them. */
static bool is_to_be_undone(const struct container *container)
{
	return container->create && container->hooks_begun && !container->shim->closing &&
	       hooks_any(container->spec, HOOKS_STOPPED);
}

void container_fail(struct container *container, const struct err *err)
{
	/* It would be carried out as soon as init has stopped, and nothing be left of the container. */
	struct rpc_call *delete;
	struct list *it, *tmp;

	if (is_to_be_undone(container)) {
		/* What the guest would have dialled for ends with it. */
		stdio_drop(container->init.stdio);
		if (!container->undoing)
			fail_create(container, err);
		return;
	}
	delete = TAKE_PTR(container->delete);
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
