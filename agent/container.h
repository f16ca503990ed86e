/* SPDX-License-Identifier: Apache-2.0 */
/* The containers of the pod, and the processes in them. */
#ifndef AGENT_CONTAINER_H
#define AGENT_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/plan.h"
#include "agent/process.h"
#include "common/err.h"
#include "common/list.h"

struct agent;
struct cgroup_watch;
struct oom_watch;

#define CONTAINERS_MAX      256
#define CONTAINER_EXECS_MAX 1024

typedef void (*container_freed_fn)(int result, void *data);

struct container {
	struct list link;
	struct agent *agent;
	char *id;
	int cgroup_fd;
	uint64_t namespaces;        /* CLONE_NEW* that an exec joins */
	bool shares_pids;           /* the end of its init does not end what else is in it */
	int64_t root_uid, root_gid; /* as in struct child_args */
	/* Every exec gets these, too. */
	struct seccomp seccomp;
	int personality;
	/* And these, where it names none of its own. */
	struct caps caps;
	struct plan_rlimit rlimits[RLIM_NLIMITS];
	size_t n_rlimits;
	int oom_score_adj;
	struct process *init;
	struct list execs;
	size_t n_execs;
	bool paused, deleting;
	struct cgroup_watch *watch; /* freezing or emptying: one at a time */
	struct rpc_call *pause_call;
	struct oom_watch *oom;
	container_freed_fn freed;
	void *freed_data;
};

/* A container with its cgroup and nothing in it. -EEXIST, -ENOBUFS. */
int container_create(struct agent *agent, const char *id, const struct plan *plan,
		     struct container **ret, struct err *err);
/*
 * Kills every process, waits until the cgroup is empty, frees everything and calls fn, never from
 * within: 0, or -ETIMEDOUT where a process does not die; its cgroup then stays. Pending calls on its
 * processes must have been answered.
 */
void container_destroy(struct container *container, container_freed_fn fn, void *data);

/* -ENOENT. One that is being deleted is no more. */
int container_find(struct agent *agent, const char *id, struct container **ret, struct err *err);
int container_find_process(struct agent *agent, const char *id, const char *exec_id,
			   struct process **ret, struct err *err);

/* Tells the process with this pid of its end; any other pid is nobody's. */
void container_reaped(struct agent *agent, pid_t pid, int wait_status);

#endif
