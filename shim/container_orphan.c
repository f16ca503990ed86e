/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers and execs whose stand-in has gone: killed by somebody, or with an sbx-oci that was killed half-way.
 * An exec in the foreground has its client for that. An exec that has ended so is deleted by us, as nobody else
 * will do it.
 */
#include <signal.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/rpc.h"
#include "shim/container.h"
#include "shim/shim.h"

#define NEVER_RAN_STATUS 126

/* A pod of its own, in which nothing has run yet, goes with it; else there are neighbours, or hooks. */
void container_end_orphan(struct container *container)
{
	struct shim *shim = container->shim;
	bool alone = shim->containers.next == shim->containers.prev;

	if (container->init.state == PROCESS_STOPPED)
		return;
	log_info("the stand-in of %s has gone", container->id);
	if (alone && container->init.state == PROCESS_CREATED)
		shim_shut_down(shim, "its client went away");
	else if (container->state != CONTAINER_CREATED)
		container->orphan = true;
	else
		container_end_created(container);
}

/* --- execs ------------------------------------------------------------------------------------ */

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	/* Of a Kill the end follows, or has come; a Delete may ask for what has never run. */
	if (err)
		log_info("the end of an exec: %s", err->msg);
}

void container_drop_exec(struct process *exec)
{
	Agent__ProcessRequest request = AGENT__PROCESS_REQUEST__INIT;

	request.id = exec->container->id;
	request.exec_id = exec->exec_id;
	if (exec->state == PROCESS_STOPPED)
		agent_client_call(exec->container->shim->sandbox.agent, "Delete", &request.base, 0,
				  on_answer, NULL);
	process_finish(exec);
	free(exec);
}

void container_end_exec(struct process *exec)
{
	Agent__KillRequest request = AGENT__KILL_REQUEST__INIT;

	exec->orphan = true;
	if (exec->state == PROCESS_CREATED || exec->state == PROCESS_STOPPED) {
		container_drop_exec(exec);
	} else if (exec->state == PROCESS_RUNNING) {
		request.id = exec->container->id;
		request.exec_id = exec->exec_id;
		request.signal = SIGKILL;
		process_killed(exec);
		agent_client_call(exec->container->shim->sandbox.agent, "Kill", &request.base, 0,
				  on_answer, NULL);
	}
}

/* Who wanted its start has gone: it is not to run when the pause ends. Its stand-in is told. */
static void give_up_start(struct process *exec)
{
	rpc_reply_empty(TAKE_PTR(exec->held_start));
	exec->never_ran = true;
	process_end(exec, NEVER_RAN_STATUS);
}

static void end_execs(struct container *container, pid_t pid)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &container->execs) {
		struct process *exec = list_entry(it, struct process, link);

		/* One whose deletion is under way needs no other. */
		if (exec->delete_call)
			continue;
		if (exec->stand_in && exec->stand_in == pid) {
			log_info("who exec %s of %s was for has gone", exec->exec_id,
				 container->id);
			exec->stand_in = 0;
			container_end_exec(exec);
		} else if (exec->held_start && !rpc_call_conn(exec->held_start)) {
			give_up_start(exec);
		}
	}
}

void container_end_orphans(struct shim *shim, pid_t pid)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->containers) {
		struct container *container = list_entry(it, struct container, link);

		end_execs(container, pid);
		if (container->stand_in == 0 || container->stand_in != pid)
			continue;
		container->stand_in = 0;
		container_end_orphan(container);
	}
}
