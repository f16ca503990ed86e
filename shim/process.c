/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: CREATED -> STARTING -> RUNNING -> STOPPED. An exit has two halves that come
 * in either order: the agent's answer to Wait, and the end of the last output stream. Only both make
 * STOPPED, so whoever has seen an exit has all the output.
 *
 * A client that does not read holds up the second half for as long as it likes; it is its own
 * process that waits. A process that was killed is not to be held up so: its streams are dropped
 * DROP_NS after the signal. An init becomes STOPPED after its execs (container_process_may_stop). A guest
 * that has not ended a killed init UNKILLABLE_NS later is not to be waited for (container_unkillable).
 */
#include "shim/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "task.pb-c.h"

#define DROP_NS       (3 * 1000000000ull)
#define UNKILLABLE_NS (60 * 1000000000ull)
#define MAX_WAITERS   (SHIM_MAX_CALLS / 2)

struct waiter {
	struct list link;
	struct rpc_call *call;
};

static void reply(const struct process *process, struct rpc_call *call)
{
	Task__WaitResponse response = TASK__WAIT_RESPONSE__INIT;
	Google__Timestamp at;

	response.exit_status = process->exit_status;
	response.exited_at = container_timestamp(process->exited_at_ns, &at);
	rpc_reply(call, &response.base);
}

static void answer_waiters(struct process *process)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &process->waiters) {
		struct waiter *waiter = list_entry(it, struct waiter, link);

		list_remove(&waiter->link);
		reply(process, waiter->call);
		free(waiter);
	}
}

static void stop(struct process *process)
{
	if (process->state == PROCESS_STOPPED)
		return;
	process->state = PROCESS_STOPPED;
	source_arm(process->drop, 0);
	/* Its input, too, for which the guest may never have dialled. */
	stdio_drop(process->stdio);
	container_process_stopped(process);
	answer_waiters(process);
	process_release_kills(process);
	container_process_settled(process);
}

void process_stop_if_complete(struct process *process)
{
	if (!process->agent_exited || !stdio_is_drained(process->stdio) ||
	    !container_process_may_stop(process))
		return;
	if (process != &process->container->init || !container_lets_go(process->container))
		stop(process);
}

static void on_drained(struct stdio *stdio, void *data)
{
	process_stop_if_complete(data);
}

static void on_drop(struct source *source, uint32_t events, void *data)
{
	struct process *process = data;

	if (process == &process->container->init)
		source_arm(source, UNKILLABLE_NS);
	if (!process->dropped) {
		process->dropped = true;
		log_info("dropping the streams of a killed process");
		stdio_drop(process->stdio);
	} else {
		container_unkillable(process->container);
	}
}

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The guest's half of an exit. */
static void exited(struct process *process, uint32_t status)
{
	process->agent_exited = true;
	process->exit_status = status;
	/* Our own clock: the guest's could say anything. */
	process->exited_at_ns = realtime_ns();
	process_stop_if_complete(process);
}

static void on_exit_reply(const ProtobufCMessage *msg, const struct err *err, void *data)
{
	const Agent__WaitResponse *response = (const Agent__WaitResponse *)msg;
	struct process *process = data;

	if (err) {
		/* The end of the connection is the sandbox's to judge. */
		if (err->code == ECANCELED || err->code == ECONNRESET)
			return;
		log_warn("wait: %s", err->msg);
		stdio_drop(process->stdio);
		exited(process, 255);
		return;
	}
	exited(process, response->exit_status & 0xff);
}

int process_watch(struct process *process)
{
	Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;

	request.id = process->container->id;
	request.exec_id = process->exec_id;
	return agent_client_call(process->container->shim->sandbox.agent, "Wait", &request.base, 0,
				 on_exit_reply, process);
}

/* Drops the waiters that nobody is behind any more; how many are left. */
static unsigned sweep_waiters(struct process *process)
{
	struct list *it, *tmp;
	unsigned n = 0;

	list_for_each_safe (it, tmp, &process->waiters) {
		struct waiter *waiter = list_entry(it, struct waiter, link);

		if (rpc_call_conn(waiter->call)) {
			n++;
			continue;
		}
		list_remove(&waiter->link);
		rpc_reply_empty(waiter->call);
		free(waiter);
	}
	return n;
}

void process_wait(struct process *process, struct rpc_call *call)
{
	struct waiter *waiter;

	if (process->state == PROCESS_STOPPED) {
		reply(process, call);
		return;
	}
	waiter = sweep_waiters(process) < MAX_WAITERS ? calloc(1, sizeof(*waiter)) : NULL;
	if (!waiter) {
		struct err err = ERR_INIT;

		err_set(&err, ENOMEM, "too many are waiting");
		rpc_fail(call, &err);
		return;
	}
	waiter->call = call;
	list_append(&process->waiters, &waiter->link);
}

void process_killed(struct process *process)
{
	if (process->killed)
		return;
	process->killed = true;
	source_arm(process->drop, DROP_NS);
}

void process_end(struct process *process, uint32_t status)
{
	if (process->state == PROCESS_STOPPED)
		return;
	process->exit_status = status;
	process->exited_at_ns = realtime_ns();
	process->agent_exited = true;
	stdio_drop(process->stdio);
	stop(process);
}

void process_fail(struct process *process, const struct err *err)
{
	struct list *it, *tmp;

	/* Nothing has failed: the machine went because its container had ended. */
	if (process == &process->container->init && process->container->letting_go) {
		stop(process);
		return;
	}
	if (process->start)
		rpc_fail(TAKE_PTR(process->start), err);
	if (process->held_start)
		rpc_fail(TAKE_PTR(process->held_start), err);
	if (process->state != PROCESS_STOPPED)
		process->failed = true;
	/* sbx tells its user why. Others know exits only. */
	if (!process->container->shim->own_pod) {
		process_end(process, 137);
		return;
	}
	list_for_each_safe (it, tmp, &process->waiters) {
		struct waiter *waiter = list_entry(it, struct waiter, link);

		list_remove(&waiter->link);
		rpc_fail(waiter->call, err);
		free(waiter);
	}
	process_end(process, 137);
}

int process_init(struct process *process, struct container *container, const char *exec_id,
		 const struct stdio_request *uris, struct rpc_call *call, struct err *err)
{
	struct loop *loop = container->shim->loop;
	int r;

	*process = (struct process){
		.container = container,
		.exec_id = strdup(exec_id),
		.uris = {uris->terminal, uris->clear_onlcr, strdup(uris->in), strdup(uris->out),
			 strdup(uris->err), container->id, container->shim->pod->namespace,
			 container->shim->own_pod},
	};
	list_init(&process->link);
	list_init(&process->waiters);
	list_init(&process->kills);
	if (!process->exec_id || !process->uris.in || !process->uris.out || !process->uris.err)
		return err_set(err, ENOMEM, "out of memory");
	r = loop_add_timer(loop, on_drop, process, &process->drop);
	if (r < 0)
		return err_set_errno(err, -r, "cannot make a timer");
	return stdio_create(loop, call, &process->uris, on_drained, process, &process->stdio, err);
}

void process_finish(struct process *process)
{
	struct err gone = ERR_INIT;

	agent_client_forget(process->container->shim->sandbox.agent, process);
	err_set(&gone, ENOENT, "the process has been deleted");
	if (process->start)
		rpc_fail(TAKE_PTR(process->start), &gone);
	if (process->delete_call)
		rpc_fail(TAKE_PTR(process->delete_call), &gone);
	if (process->held_start)
		rpc_fail(TAKE_PTR(process->held_start), &gone);
	/* Of an exec that is deleted without having run: as its deletion is answered. */
	answer_waiters(process);
	process_release_kills(process);
	list_remove(&process->link);
	source_remove(process->drop);
	stdio_destroy(process->stdio);
	spec_free(process->spec);
	free(process->exec_id);
	free(process->cgroup);
	if (process->copy)
		protobuf_c_message_free_unpacked(&process->copy->base, NULL);
	free((char *)process->uris.in);
	free((char *)process->uris.out);
	free((char *)process->uris.err);
}
