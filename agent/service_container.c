/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/container.h"
#include "agent/oom.h"
#include "agent/plan.h"
#include "agent/ps.h"
#include "agent/rootfs.h"
#include "agent/service.h"
#include "agent/service_process.h"
#include "agent/volume.h"
#include "common/rpc.h"

#define FREEZE_TIMEOUT_NS 10000000000ull

/* A failed Create is answered when nothing of it is left, so that it can be tried again. */
struct failed_create {
	struct rpc_call *call;
	struct err err;
};

static void on_failed_freed(int result, void *data)
{
	struct failed_create *failed = data;

	rpc_fail(failed->call, &failed->err);
	free(failed);
}

static void on_forgotten(int result, void *data)
{
}

static void fail_create(struct container *container, struct rpc_call *call, const struct err *err)
{
	struct failed_create *failed = calloc(1, sizeof(*failed));

	if (!failed) {
		/* Then at once; the id is free a little later. */
		rpc_fail(call, err);
		container_destroy(container, on_forgotten, NULL);
		return;
	}
	*failed = (struct failed_create){call, *err};
	container_destroy(container, on_failed_freed, failed);
}

static void on_created(struct process *process, const struct err *err)
{
	struct rpc_call *call;

	if (!err) {
		service_answer_pid(process, NULL);
		return;
	}
	call = TAKE_PTR(process->call);
	service_fail_calls(process);
	fail_create(process->container, call, err);
}

static const struct process_events init_events = {
	.on_created = on_created,
	.on_started = service_on_started,
	.on_exited = service_on_exited,
};

static int create(struct agent *agent, const Agent__CreateRequest *req, struct rpc_call *call,
		  struct container **ret_failed, struct err *err)
{
	_cleanup_plan_ struct plan plan = {0};
	struct child_args args = {
		.rootfs = req->rootfs,
		.find_program = req->find_program,
		.init_pidfd = -1,
		.joins.ready_fd = -1,
	};
	struct container *container;
	int r;

	if (!agent->set_up)
		return err_set(err, EBUSY, "the guest was not set up yet");
	if (!plan_is_id(req->id))
		return err_set(err, EINVAL, "bad container id \"%.128s\"", req->id);
	volumes_drop(agent, req->gone_volumes, req->n_gone_volumes);
	r = rootfs_check(req->rootfs, err);
	if (r >= 0)
		r = plan_make(req->spec, &plan, err);
	if (r >= 0)
		r = ns_find_joins(agent, &plan, &args.joins, err);
	if (r >= 0)
		r = volumes_make(agent, &plan, err);
	if (r >= 0)
		r = container_create(agent, req->id, &plan, &container, err);
	if (r < 0)
		return r;
	args.plan = &plan;
	if (!(plan.namespaces & CLONE_NEWNET))
		args.resolv_conf = agent->resolv_conf;
	args.process = &plan.process;
	args.seccomp = &container->seccomp;
	args.personality = container->personality;
	args.cgroup_fd = container->cgroup_fd;
	args.root_uid = container->root_uid;
	args.root_gid = container->root_gid;
	r = process_create(container, NULL, &args, req->streams, &init_events, &container->init,
			   err);
	if (r < 0) {
		*ret_failed = container;
		return r;
	}
	container->init->call = call;
	return 0;
}

void handle_create(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct container *failed = NULL;
	struct err err = ERR_INIT;

	if (create(data, (const Agent__CreateRequest *)msg, call, &failed, &err) >= 0)
		return;
	if (failed)
		fail_create(failed, call, &err);
	else
		rpc_fail(call, &err);
}

static struct container *find(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ContainerRequest *req = (const Agent__ContainerRequest *)msg;
	struct container *container;
	struct err err = ERR_INIT;

	if (container_find(data, req->id, &container, &err) >= 0)
		return container;
	rpc_fail(call, &err);
	return NULL;
}

void handle_pids(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct container *container = find(call, msg, data);
	Agent__PidsResponse reply = AGENT__PIDS_RESPONSE__INIT;
	static uint32_t pids[CGROUP_MAX_PIDS];

	if (!container)
		return;
	if (((const Agent__ContainerRequest *)msg)->rows) {
		ps_answer(container->cgroup_fd, call);
		return;
	}
	reply.n_pids = cgroup_pids(container->cgroup_fd, pids, CGROUP_MAX_PIDS);
	reply.pids = pids;
	rpc_reply(call, &reply.base);
}

void handle_stats(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	bool all = ((const Agent__ContainerRequest *)msg)->id[0] == '\0';
	struct container *container = all ? NULL : find(call, msg, data);
	_cleanup_close_ int fd = all ? cgroup_open_all() : -1;
	Agent__StatsResponse reply = AGENT__STATS_RESPONSE__INIT;

	if (!all && !container)
		return;
	cgroup_stats(all ? fd : container->cgroup_fd, &reply);
	rpc_reply(call, &reply.base);
}

static void on_frozen(int result, void *data)
{
	struct container *container = data;
	struct rpc_call *call = TAKE_PTR(container->pause_call);
	struct err err = ERR_INIT;

	container->watch = NULL;
	if (result == 0) {
		container->paused = true;
		rpc_reply_empty(call);
		return;
	}
	cgroup_freeze(container->cgroup_fd, false);
	err_set_errno(&err, -result, "container %s does not freeze", container->id);
	rpc_fail(call, &err);
}

void handle_pause(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct container *container = find(call, msg, data);
	struct err err = ERR_INIT;
	int r;

	if (!container)
		return;
	if (container->paused || container->watch)
		r = err_set(&err, EBUSY, "container %s is %s", container->id,
			    container->paused ? "paused already" : "being paused");
	else if (!container->init || container->init->state != PROCESS_RUNNING)
		r = err_set(&err, EBUSY, "container %s is not running", container->id);
	else if ((r = cgroup_freeze(container->cgroup_fd, true)) < 0)
		err_set_errno(&err, -r, "freezing container %s", container->id);
	else if ((r = cgroup_watch_add(container->agent->loop, container->cgroup_fd, "frozen", 1,
				       FREEZE_TIMEOUT_NS, on_frozen, container,
				       &container->watch)) < 0) {
		cgroup_freeze(container->cgroup_fd, false);
		err_set_errno(&err, -r, "watching container %s", container->id);
	}
	if (r < 0)
		rpc_fail(call, &err);
	else
		container->pause_call = call;
}

void handle_resume(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct container *container = find(call, msg, data);
	struct err err = ERR_INIT;
	int r;

	if (!container)
		return;
	if (!container->paused)
		r = err_set(&err, EBUSY, "container %s is not paused", container->id);
	else if ((r = cgroup_freeze(container->cgroup_fd, false)) < 0)
		err_set_errno(&err, -r, "thawing container %s", container->id);
	if (r < 0) {
		rpc_fail(call, &err);
		return;
	}
	container->paused = false;
	rpc_reply_empty(call);
}

void handle_wait_oom(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__OomRequest *req = (const Agent__OomRequest *)msg;
	struct container *container;
	struct err err = ERR_INIT;
	int r = container_find(data, req->id, &container, &err);

	if (r == 0 && container->oom)
		r = err_set(&err, EBUSY, "somebody waits already");
	if (r == 0)
		r = oom_watch_begin(container->agent->loop, container->cgroup_fd, req->seen, call,
				    &container->oom, &err);
	if (r < 0)
		rpc_fail(call, &err);
}

void handle_update(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__UpdateRequest *req = (const Agent__UpdateRequest *)msg;
	_cleanup_plan_ struct plan plan = {0};
	struct container *container;
	struct err err = ERR_INIT;
	int r;

	r = container_find(data, req->id, &container, &err);
	if (r >= 0)
		r = plan_resources(req->resources, &plan, &err);
	if (r >= 0)
		r = cgroup_update(container->cgroup_fd, &plan, &err);
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void on_freed(int result, void *data)
{
	struct rpc_call *call = data;
	struct err err = ERR_INIT;

	if (result == 0) {
		rpc_reply_empty(call);
		return;
	}
	err_set_errno(&err, -result, "the container's processes or cgroup do not go away");
	rpc_fail(call, &err);
}

static void delete_container(struct container *container, struct rpc_call *call)
{
	struct list *it, *tmp;
	struct err err = ERR_INIT;

	if (container->pause_call) {
		err_set(&err, ECANCELED, "container %s was deleted", container->id);
		rpc_fail(TAKE_PTR(container->pause_call), &err);
	}
	oom_watch_cancel(container->oom);
	service_fail_calls(container->init);
	list_for_each_safe (it, tmp, &container->execs) {
		service_fail_calls(list_entry(it, struct process, link));
	}
	container_destroy(container, on_freed, call);
}

void handle_delete(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ProcessRequest *req = (const Agent__ProcessRequest *)msg;
	struct process *process;
	struct err err = ERR_INIT;
	bool deletable;

	if (container_find_process(data, req->id, req->exec_id, &process, &err) < 0) {
		rpc_fail(call, &err);
		return;
	}
	/* A container that was never started holds nothing worth keeping. */
	deletable = process->state == PROCESS_EXITED ||
		    (!process->exec_id && process->state == PROCESS_CREATED);
	if (!deletable) {
		err_set(&err, EBUSY, "the process is still %s",
			process->state == PROCESS_CREATING ? "being created" : "running");
		rpc_fail(call, &err);
	} else if (!process->exec_id) {
		delete_container(process->container, call);
	} else {
		service_fail_calls(process);
		process->container->n_execs--;
		process_destroy(process);
		rpc_reply_empty(call);
	}
}
