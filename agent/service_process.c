/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service_process.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/container.h"
#include "agent/copy.h"
#include "agent/plan.h"
#include "agent/service.h"
#include "common/rpc.h"

struct waiter {
	struct list link;
	struct rpc_call *call;
};

void service_answer_pid(struct process *process, const struct err *err)
{
	Agent__PidResponse reply = AGENT__PID_RESPONSE__INIT;
	struct rpc_call *call = TAKE_PTR(process->call);

	if (!call)
		return;
	if (err) {
		rpc_fail(call, err);
		return;
	}
	reply.pid = (uint32_t)process->pid;
	rpc_reply(call, &reply.base);
}

static void answer_wait(struct rpc_call *call, const struct process *process)
{
	Agent__WaitResponse reply = AGENT__WAIT_RESPONSE__INIT;

	reply.exit_status = process_exit_status(process);
	reply.exited_at_ns = process->exited_at_ns;
	reply.oom_killed = process->oom_killed;
	rpc_reply(call, &reply.base);
}

/* Ends every Wait on process, with its status or with err. */
static void end_waits(struct process *process, const struct err *err)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &process->waiters) {
		struct waiter *waiter = list_entry(it, struct waiter, link);

		list_remove(&waiter->link);
		if (err)
			rpc_fail(waiter->call, err);
		else
			answer_wait(waiter->call, process);
		free(waiter);
	}
}

void service_fail_calls(struct process *process)
{
	struct err err = ERR_INIT;

	err_set(&err, ECANCELED, "the process was deleted");
	service_answer_pid(process, &err);
	end_waits(process, &err);
}

static void discard_exec(struct process *process)
{
	service_fail_calls(process);
	process->container->n_execs--;
	process_destroy(process);
}

void service_on_started(struct process *process, const struct err *err)
{
	/* An Exec that fails leaves nothing: the object goes as soon as its process has. */
	process->failed = err && process->exec_id;
	service_answer_pid(process, err);
}

void service_on_exited(struct process *process)
{
	if (process->failed)
		discard_exec(process);
	else
		end_waits(process, NULL);
}

static void on_exec_created(struct process *process, const struct err *err)
{
	struct err start_err = ERR_INIT;

	if (!err && process_start(process, &start_err) < 0)
		err = &start_err;
	if (!err)
		return;
	service_answer_pid(process, err);
	discard_exec(process);
}

static const struct process_events exec_events = {
	.on_created = on_exec_created,
	.on_started = service_on_started,
	.on_exited = service_on_exited,
};

static int check_exec(struct container *container, const char *exec_id, struct err *err)
{
	struct process *existing;

	if (!plan_is_id(exec_id))
		return err_set(err, EINVAL, "bad exec id \"%.128s\"", exec_id);
	if (container_find_process(container->agent, container->id, exec_id, &existing, NULL) >= 0)
		return err_set(err, EEXIST, "process %s exists already", exec_id);
	/* One that waits for its start takes processes, as runc's do. */
	if (!container->init || container->init->state == PROCESS_CREATING ||
	    container->init->state == PROCESS_EXITED)
		return err_set(err, EBUSY, "container %s is not running", container->id);
	/* In a frozen cgroup the new process would freeze before it had let go of what is the agent's. */
	if (container->paused || container->pause_call)
		return err_set(err, EBUSY, "container %s is paused", container->id);
	if (container->n_execs >= CONTAINER_EXECS_MAX)
		return err_set(err, ENOBUFS, "container %s has %d processes to be deleted",
			       container->id, CONTAINER_EXECS_MAX);
	return 0;
}

/*
 * The container's own cgroup, unless another one is named. Where the container has spread its processes
 * beneath it, the kernel lets none into it itself: then the one that its init is in.
 */
static int open_cgroup(const struct container *container, const char *path, struct err *err)
{
	int fd = cgroup_open_inside(container->cgroup_fd, path);

	if (fd < 0)
		return err_set_errno(err, -fd, "cgroup %.128s", path);
	if (path[0] || cgroup_takes_processes(fd))
		return fd;
	close(fd);
	fd = cgroup_open_of(container->cgroup_fd, container->id, container->init->pid);
	return fd < 0 ? err_set_errno(err, -fd, "the cgroup of the container's init") : fd;
}

/* An exec that says nothing of its rights and limits has those of its container, never more. */
static int inherit(const struct container *container, struct process_plan *plan, struct err *err)
{
	if (!plan->has_caps)
		plan->caps = container->caps;
	if (!plan->has_oom_score_adj)
		plan->oom_score_adj = container->oom_score_adj;
	if (plan->n_rlimits || !container->n_rlimits)
		return 0;
	free(plan->rlimits);
	plan->rlimits = calloc(container->n_rlimits, sizeof(*plan->rlimits));
	if (!plan->rlimits)
		return err_set(err, ENOMEM, "process.rlimits: out of memory");
	plan->n_rlimits = container->n_rlimits;
	memcpy(plan->rlimits, container->rlimits, plan->n_rlimits * sizeof(*plan->rlimits));
	return 0;
}

/* Before the start init is a fork of the agent, with all its rights, in reach of whoever may trace it. */
static void spare_init(const struct container *container, struct caps *caps)
{
	uint64_t keep = ~(1ull << CAP_SYS_PTRACE);

	if (container->init->state == PROCESS_RUNNING || container->namespaces & CLONE_NEWUSER)
		return;
	caps->bounding &= keep;
	caps->effective &= keep;
	caps->inheritable &= keep;
	caps->permitted &= keep;
	caps->ambient &= keep;
}

static int exec(struct agent *agent, const Agent__ExecRequest *req, struct rpc_call *call,
		struct err *err)
{
	_cleanup_process_plan_ struct process_plan plan = {0};
	_cleanup_close_ int cgroup = -1;
	struct child_args args = {.process = &plan, .joins.ready_fd = -1};
	struct container *container;
	struct process *process;
	int r;

	r = container_find(agent, req->id, &container, err);
	if (r >= 0)
		r = check_exec(container, req->exec_id, err);
	if (r >= 0)
		r = plan_process(req->process, &plan, err);
	if (r >= 0)
		r = inherit(container, &plan, err);
	if (r >= 0 && req->copy)
		r = copy_check(req->copy, err);
	if (r >= 0)
		r = cgroup = open_cgroup(container, req->cgroup, err);
	if (r < 0)
		return r;
	spare_init(container, &plan.caps);
	args.init_pidfd = container->init->pidfd;
	args.namespaces = container->namespaces;
	args.copy = req->copy;
	args.seccomp = &container->seccomp;
	args.personality = container->personality;
	args.cgroup_fd = cgroup;
	args.root_uid = container->root_uid;
	args.root_gid = container->root_gid;
	r = process_create(container, req->exec_id, &args, req->streams, &exec_events, &process,
			   err);
	if (r < 0)
		return r;
	list_append(&container->execs, &process->link);
	container->n_execs++;
	process->call = call;
	return 0;
}

void handle_exec(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct err err = ERR_INIT;

	if (exec(data, (const Agent__ExecRequest *)msg, call, &err) < 0)
		rpc_fail(call, &err);
}

void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ProcessRequest *req = (const Agent__ProcessRequest *)msg;
	struct process *process;
	struct err err = ERR_INIT;
	int r;

	/* An exec is started by Exec itself. */
	r = container_find_process(data, req->id, req->exec_id, &process, &err);
	if (r >= 0 && process->call)
		r = err_set(&err, EBUSY, "the process is being created or started");
	if (r >= 0)
		r = process_start(process, &err);
	if (r < 0)
		rpc_fail(call, &err);
	else
		process->call = call;
}

static int signal_one(struct process *process, int signo, struct err *err)
{
	int r = process_signal(process, signo);

	if (r == -ESRCH)
		return err_set(err, ESRCH, "process already finished");
	if (r == -EBUSY)
		return err_set(err, EBUSY, "the process is still being created");
	return r < 0 ? err_set_errno(err, -r, "sending signal %d", signo) : 0;
}

static int signal_all(struct container *container, int signo, struct err *err)
{
	struct process *init = container->init;
	int r;

	/* The kernel would not tell it, who is first of its namespace. */
	if (init && init->state == PROCESS_CREATED && process_signal(init, signo) == 0 &&
	    init->ended_by)
		return 0;
	r = cgroup_signal(container->cgroup_fd, container->id, signo);

	if (r == 0)
		return err_set(err, ESRCH, "process already finished");
	return r < 0 ? err_set_errno(err, -r, "sending signal %d to all", signo) : 0;
}

void handle_kill(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__KillRequest *req = (const Agent__KillRequest *)msg;
	struct process *process;
	struct err err = ERR_INIT;
	int r;

	r = container_find_process(data, req->id, req->exec_id, &process, &err);
	if (r >= 0 && req->signal >= _NSIG)
		r = err_set(&err, EINVAL, "no such signal: %u", req->signal);
	if (r >= 0 && req->all && req->exec_id[0])
		r = err_set(&err, EINVAL, "a signal to all goes to a container, not to an exec");
	if (r >= 0)
		r = req->all ? signal_all(process->container, (int)req->signal, &err)
			     : signal_one(process, (int)req->signal, &err);
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ProcessRequest *req = (const Agent__ProcessRequest *)msg;
	struct process *process;
	struct waiter *waiter;
	struct err err = ERR_INIT;

	if (container_find_process(data, req->id, req->exec_id, &process, &err) < 0) {
		rpc_fail(call, &err);
		return;
	}
	if (process->state == PROCESS_EXITED && process->drained) {
		answer_wait(call, process);
		return;
	}
	waiter = calloc(1, sizeof(*waiter));
	if (!waiter) {
		err_set(&err, ENOMEM, "out of memory");
		rpc_fail(call, &err);
		return;
	}
	waiter->call = call;
	list_append(&process->waiters, &waiter->link);
}

void handle_resize(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ResizeRequest *req = (const Agent__ResizeRequest *)msg;
	struct process *process;
	struct err err = ERR_INIT;
	int r;

	r = container_find_process(data, req->id, req->exec_id, &process, &err);
	if (r >= 0 && (req->rows > UINT16_MAX || req->columns > UINT16_MAX))
		r = err_set(&err, EINVAL, "no such size: %ux%u", req->columns, req->rows);
	if (r >= 0 &&
	    (r = stdio_resize(process->stdio, (uint16_t)req->rows, (uint16_t)req->columns)) < 0)
		err_set(&err, -r, "the process has no terminal");
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

void handle_close_stdin(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ProcessRequest *req = (const Agent__ProcessRequest *)msg;
	struct process *process;
	struct err err = ERR_INIT;
	int r;

	r = container_find_process(data, req->id, req->exec_id, &process, &err);
	if (r >= 0 && (r = stdio_close_stdin(process->stdio)) < 0)
		err_set(&err, -r, "a terminal has no end of input");
	if (r < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}
