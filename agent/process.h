/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: one process that the agent started for the host, a container's init or an
 * exec.
 *
 *	CREATING --READY and all streams connected--> CREATED --process_start()--> STARTING
 *	STARTING --exec--> RUNNING
 *	any of them --reaped--> EXITED --output drained--> on_exited
 *
 * A failure while CREATING is told to on_created and leaves nothing to wait for; one while STARTING
 * is told to on_started, and the process exits with the status it reported (126, 127).
 */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/child.h"
#include "agent/stdio.h"
#include "common/list.h"

struct agent;
struct container;
struct process;
struct rpc_call;

enum process_state {
	PROCESS_CREATING,
	PROCESS_CREATED,
	PROCESS_STARTING,
	PROCESS_RUNNING,
	PROCESS_EXITED,
};

/* err NULL: it went well. All but on_started may free the process. */
struct process_events {
	void (*on_created)(struct process *process, const struct err *err);
	void (*on_started)(struct process *process, const struct err *err);
	void (*on_exited)(struct process *process);
};

struct process {
	struct list link; /* in the container's list of execs */
	struct agent *agent;
	struct container *container;
	char *exec_id; /* NULL: init */
	const struct process_events *events;
	enum process_state state;
	bool terminal;
	pid_t pid; /* 0 until CHILD was reported */
	int pidfd; /* the process; -1 until then */
	int helper_pidfd;
	int report_fd;
	struct source *report_source;
	struct stdio *stdio;
	bool ready, streams_connected;
	bool failed;     /* an exec whose exec failed: nobody knows of it any more */
	int wait_status; /* as wait(2) gives it, once EXITED */
	int ended_by;    /* the signal that came before the start; 0: none */
	bool drained;
	uint64_t oom_kills; /* the cgroup's count at start */
	bool oom_killed;
	uint64_t exited_at_ns;
	/* What the service has to answer (service.c). */
	struct rpc_call *call;
	struct list waiters;
};

/*
 * Starts the helper and opens the streams. args is complete but for report_fd, stdio and clear_onlcr. on_created
 * follows, never from within.
 */
int process_create(struct container *container, const char *exec_id, struct child_args *args,
		   const Agent__Streams *streams, const struct process_events *events,
		   struct process **ret, struct err *err);
/* Kills what is left of it and frees. */
void process_destroy(struct process *process);
DEFINE_CLEANUP(struct process, process_destroy)

/* Lets a CREATED process exec. on_started follows. */
int process_start(struct process *process, struct err *err);
/* -ESRCH once it has exited, -EBUSY while it is being created. */
int process_signal(struct process *process, int signo);
/* wait(2) has returned its pid. */
void process_reaped(struct process *process, int wait_status);
/* The program's status, or 128 + the signal. */
uint32_t process_exit_status(const struct process *process);

#endif
