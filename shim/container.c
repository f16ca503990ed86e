/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the guest answers when and as it likes, or never. So an object that is freed has its
 * calls to the agent forgotten (agent_client_forget), and one whose Delete is under way stays in its list,
 * where nobody finds it any more: what ends everything finds it, too. The monitor and the file server have
 * lost their connections when the sandbox has failed (on_sandbox_failed), and with it every call that carries
 * a container. A call of a client that is kept here (create, start) is taken out before it is answered, so
 * whoever comes second finds nothing to answer.
 */
#include "shim/container.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/opts.h"
#include "common/thread.h"
#include "shim/hooks.h"
#include "shim/hooks_due.h"
#include "shim/host_mount.h"
#include "shim/image.h"
#include "shim/shim.h"
#include "shim/spec.h"

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

void container_end_created(struct container *container)
{
	if (container->sandbox) {
		process_end(&container->init, 128 + SIGKILL);
		return;
	}
	process_killed(&container->init);
	container_kill(container, SIGKILL, true);
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

struct opening {
	struct container *container;
	const Task__CreateTaskRequest *req;
	struct err *err;
	int r;
};

static int mount_and_open(const struct opening *opening)
{
	struct container *container = opening->container;
	const Task__CreateTaskRequest *req = opening->req;
	_cleanup_free_ char *target = NULL;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_set_errno(opening->err, errno, "a mount namespace");
	if (asprintf(&target, "%s/rootfs", container->bundle) < 0)
		return err_set(opening->err, ENOMEM, "out of memory");
	r = host_mount_all(req->rootfs, req->n_rootfs, target, opening->err);
	if (r < 0)
		return r;
	r = container_shares_open(container, true, opening->err);
	host_mount_undo(req->n_rootfs, target);
	return r;
}

static void *run_opening(void *data)
{
	struct opening *opening = data;

	opening->r = mount_and_open(opening);
	return NULL;
}

/*
 * What the host mounts is shared by a clone, and so need not stay mounted. It is on a thread that it is
 * mounted, as a thread may have a mount namespace of its own: nobody else sees it, it goes with us, and what
 * the engine has mounted for this container is in it, which a copy that is as old as the pod need not have.
 */
static int open_shares(struct container *container, const Task__CreateTaskRequest *req,
		       struct err *err)
{
	struct opening opening = {container, req, err, 0};
	pthread_t thread;
	int r;

	if (!container->rootfs.mounted || !req->n_rootfs)
		return container_shares_open(container, !container->rootfs.image, err);
	if (container->shim->own_pod)
		return err_set(err, EINVAL, "rootfs of type %.32s: not supported",
			       req->rootfs[0]->type);
	r = thread_run(run_opening, &opening, &thread);
	if (r < 0)
		return err_set_errno(err, -r, "cannot run a thread");
	pthread_join(thread, NULL);
	return opening.r;
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

/* Its Create has failed, which leaves nothing to delete. */
static void forget_delete(struct container *container)
{
	struct err gone = ERR_INIT;

	err_set(&gone, ENOENT, "the container has not been created");
	rpc_fail(TAKE_PTR(container->delete), &gone);
}

void container_free(struct container *container)
{
	struct shim *shim;
	struct list *it, *tmp;

	if (!container)
		return;
	shim = container->shim;
	if (container->delete)
		forget_delete(container);
	agent_client_forget(shim->sandbox.agent, container);
	if (shim->net_taker == container)
		shim->net_taker = NULL;
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
	hooks_due_destroy(container->due);
	spec_free(container->spec);
	close_fd(&container->image_fd);
	if (container->slot >= 0)
		shim_free_slot(shim, container->slot);
	free(container->id);
	free(container->bundle);
	free(container);
	shim_end_if_unused(shim);
}
