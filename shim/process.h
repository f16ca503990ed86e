/* SPDX-License-Identifier: Apache-2.0 */
/* A process of a container, init or exec: its state, streams, and who waits for its end. */
#ifndef SHIM_PROCESS_H
#define SHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/list.h"
#include "shim/stdio.h"
#include "task.pb-c.h"

struct container;
struct rpc_call;
struct source;
struct spec;

enum process_state { PROCESS_CREATED, PROCESS_STARTING, PROCESS_RUNNING, PROCESS_STOPPED };

struct process {
	struct list link; /* of an exec, in its container */
	struct container *container;
	char *exec_id; /* "": init */
	enum process_state state;
	struct stdio *stdio;
	struct stdio_request uris;   /* as the client gave them; ours */
	struct spec *spec;           /* of an exec, until it starts */
	struct rpc_call *held_start; /* of such a one, while that lasts */
	bool ignore_paused;          /* an exec that waits for the end of a pause */
	char *cgroup;                /* of an exec: beneath the container's; NULL: that one */
	Task__Copy *copy;            /* of an exec that is one, ours; else NULL */
	bool agent_exited;           /* the guest's half of an exit */
	bool killed;                 /* SIGKILL was sent; see process_killed() */
	bool dropped;                /* and the streams were, since */
	bool never_ran;              /* its start has failed */
	pid_t stand_in; /* of an exec: the host's process that it ends with; 0: none, or no more */
	bool orphan;    /* that has gone */
	uint32_t exit_status;
	uint64_t exited_at_ns;  /* CLOCK_REALTIME */
	struct list waiters;    /* calls of Wait */
	struct list kills;      /* calls of Kill that came while it was being started */
	struct rpc_call *start; /* the call of Start, while it is open */
	struct rpc_call *
		delete_call; /* that of Delete, from when the agent is asked; nobody finds it any more */
	bool failed;         /* it ended with the VM */
	bool resized;        /* an exec's terminal, before its start: to this */
	uint32_t rows, columns;
	struct source *drop;
};

/* Opens the client's ends of the streams. exec_id is copied. */
int process_init(struct process *process, struct container *container, const char *exec_id,
		 const struct stdio_request *uris, struct rpc_call *call, struct err *err);
void process_finish(struct process *process);

/* Asks the agent to tell the process's exit; from the moment that it exists in the guest. */
int process_watch(struct process *process);

/* Answers call with the exit, now or when it comes. */
void process_wait(struct process *process, struct rpc_call *call);

/* SIGKILL is on its way: output that nobody takes holds the end up for a short while only. */
void process_killed(struct process *process);

/* Its start has been answered, or never will be: so are the Kills that wait for that (shim_task_kill.c). */
void process_release_kills(struct process *process);

/* Makes it STOPPED where nothing holds that up any more. */
void process_stop_if_complete(struct process *process);

/* The process has ended, or never began, with status; streams are dropped. Tells the waiters. */
void process_end(struct process *process, uint32_t status);

/* The VM is gone: waiters of sbx's own get err, others 137. */
void process_fail(struct process *process, const struct err *err);

#endif
