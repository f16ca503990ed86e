/* SPDX-License-Identifier: Apache-2.0 */
/* Helper programs as children that end with us: fork, exec, and a pidfd for the event loop. */
#ifndef SHIM_SPAWN_H
#define SHIM_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define SPAWN_MAX_PASS 4

struct spawn {
	const char *path; /* NULL: argv[0] */
	const char *const *argv;
	const char *const *envp; /* NULL: ours */
	const int *fds;          /* kept open in the child, under their own numbers */
	size_t n_fds;
	int in_fd;          /* the child's stdin; 0 (ours is nobody's): /dev/null */
	int out_fd, err_fd; /* the child's stdout and stderr; -1: /dev/null */
	const int *pass;    /* become 3, 4 … in the child, at most SPAWN_MAX_PASS */
	size_t n_pass;
	const char *cwd;      /* NULL, or no such directory: ours */
	mode_t umask;         /* 0: ours */
	const int *oom_score; /* oom_score.h: the child's, where we may; NULL: ours */
	bool die_with_us;     /* SIGKILL at our death */
	/*
	 * The first of a process namespace (common/apart.h), without most of our environment: it is to
	 * know nothing that a guest may not.
	 */
	bool apart;
	bool no_net; /* in a network namespace of its own, empty, where we may make one */
};

/* Returns after the exec, whose failure is an error here. *ret_pidfd is the caller's. */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err);

/* Reaps the child, which must have ended; a line on how it did, "killed by signal 9 (Killed)". */
int spawn_reap(int pidfd, char *how, size_t size);

#endif
