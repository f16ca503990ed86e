/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes between the agent and a program's first instruction.
 *
 * child_spawn() makes a helper, which makes the process proper as the agent's own child and goes;
 * both tell through a report socket (report.h) how far they came. Nothing in the agent waits.
 */
#ifndef AGENT_CHILD_H
#define AGENT_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.pb-c.h"
#include "agent/ns.h"
#include "agent/plan.h"

struct child_args {
	/* A container's init: */
	const struct plan *plan; /* NULL: an exec */
	const Agent__Rootfs *rootfs;
	struct ns_joins joins;
	const char *resolv_conf; /* to write into rootfs; NULL: it has its own */
	bool find_program;       /* fail before READY where it is not there */
	/* An exec: */
	int init_pidfd;
	uint64_t namespaces;     /* CLONE_NEW* to join */
	const Agent__Copy *copy; /* to make (copy.h); NULL: a program runs */
	int null_fd;             /* its /dev/null, which is nobody else's (join.c) */
	/* Both: */
	const struct process_plan *process;
	const struct seccomp *seccomp;
	int personality; /* tune.h */
	int cgroup_fd;
	int report_fd;    /* the child's end */
	int stdio[3];     /* -1: a /dev/null; unused with a terminal */
	bool clear_onlcr; /* of the terminal */
	int64_t root_uid,
		root_gid; /* the container's root, as the agent sees it; -1: it has none */
};

/* Starts the helper. Every descriptor stays the caller's. Returns its pid, *ret_pidfd its pidfd. */
pid_t child_spawn(const struct child_args *args, int *ret_pidfd);

/* For child.c and join.c, in the helper and its child: */

/* Makes the process proper: a child of the agent, in new namespaces by flags and, where cgroup_fd is
 * not -1, in that cgroup. As fork(2). */
pid_t child_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd);
/* Sends pid and pidfd to the agent, then lets the child go on, or ends it. */
void child_announce(const struct child_args *args, pid_t pid, int pidfd, int sync_fd);
/* Closes everything from 3 on but the n descriptors in keep, which is sorted in place. */
void child_close_all_but(int *keep, size_t n);
/*
 * In a user namespace whose ids are mapped: its root, without whom it is nobody there and may mount nothing. Of one
 * that has no root, the process's user, who has a new namespace's capabilities as well.
 */
int child_become_root(const struct child_args *args, struct err *err);
/* A helper that joins instead of building (join.c). */
void child_join(const struct child_args *args) __attribute__((noreturn));
/* From READY to exec: waits, becomes the user, runs the program (become.c). tty: the slave or -1. */
void child_become(const struct child_args *args, int root_fd, int tty_fd) __attribute__((noreturn));
/* A new pty of the instance at /dev/pts in root; sends its master to the agent. Returns the slave. */
int child_open_terminal(const struct child_args *args, int root_fd, struct err *err);

#endif
