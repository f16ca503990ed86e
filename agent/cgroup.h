/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the guest's cgroup tree.
 *
 *	/sys/fs/cgroup/
 *		agent/			the agent; memory.min keeps its pages
 *		containers/		memory.max and pids.max leave the agent and the kernel a reserve
 *			ID/		a container, root of its cgroup namespace
 *
 * A container without limits of its own is so still bounded by its parent: a memory hog or fork
 * bomb meets the OOM killer or EAGAIN inside containers/, never the agent. Each container's cgroup
 * is known by a descriptor of its directory, and all accesses go through it. What lies beneath is
 * the container's own doing, bounded by cgroup.max.depth and cgroup.max.descendants.
 */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.pb-c.h"
#include "common/err.h"

#define CGROUP_MAX_DEPTH 16 /* beneath a container */
#define CGROUP_MAX_PIDS  8192

struct cgroup_watch;
struct loop;
struct plan;

/* Once, at boot: makes the tree in the mounted hierarchy and moves the calling process. */
int cgroup_init(struct err *err);
/* The machine has so many bytes more than at boot: the containers have them, less a reserve. */
int cgroup_grow(uint64_t added);
/* How many threads the containers leave to the kernel and the agent. */
uint64_t cgroup_pids_reserve(void);

/* Makes the container's cgroup. Returns its directory; -EEXIST. */
int cgroup_create(const char *id, struct err *err);
/* Bounds a new container's cgroup, writes the plan's values and attaches the device filter. */
int cgroup_apply(int fd, const struct plan *plan, struct err *err);
/* Writes the plan's values. -EBUSY where more memory is in use than it wants to allow. */
int cgroup_update(int fd, const struct plan *plan, struct err *err);
/* Removes the empty cgroup with what the container made beneath it. */
int cgroup_remove(const char *id);

int cgroup_kill(int fd);
int cgroup_freeze(int fd, bool on);
/* Sends signo to each process now in id's cgroup or beneath it. Returns how many got it. */
int cgroup_signal(int fd, const char *id, int signo);
/* The processes in the cgroup and beneath, at most max. Returns how many there are of them. */
size_t cgroup_pids(int fd, uint32_t *pids, size_t max);
/* Opens the cgroup that path names in the container's, whose root is "/". -ENOENT. */
int cgroup_open_inside(int fd, const char *path);
/* Whether it may have processes itself: no controller is passed on to what is beneath it. */
bool cgroup_takes_processes(int fd);
/* Opens the one that a process of the container id is in. */
int cgroup_open_of(int fd, const char *id, pid_t pid);
/* Removes the empty cgroups beneath fd. */
void cgroup_remove_beneath(int fd);

/* The number after key in a "key value" file, or a file's only number where key is NULL; "max" is
 * UINT64_MAX, and what is not there 0. */
uint64_t cgroup_value(int fd, const char *file, const char *key);
void cgroup_stats(int fd, Agent__StatsResponse *ret);
/* Adds what io.stat says of each device; text is cut up. */
void cgroup_sum_io(char *text, Agent__StatsResponse *ret);
/* Opens the one that all containers are beneath. */
int cgroup_open_all(void);
/* That of the process 1 which containers share (ns.h), beside theirs; made where it is not there. */
int cgroup_open_pod(void);

/*
 * Calls fn once: with 0 when key in cgroup.events becomes want, with -ETIMEDOUT. Never from within
 * cgroup_watch_add(). The watch is freed after fn, or by cgroup_watch_remove() before.
 */
typedef void (*cgroup_watch_fn)(int result, void *data);
int cgroup_watch_add(struct loop *loop, int fd, const char *key, uint64_t want, uint64_t timeout_ns,
		     cgroup_watch_fn fn, void *data, struct cgroup_watch **ret);
void cgroup_watch_remove(struct cgroup_watch *watch);

#endif
