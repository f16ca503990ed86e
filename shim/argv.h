/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper program's command line, word by word, with the descriptors that it names. A failure on
 * the way (memory, or too many) is kept and told by argv_spawn(). All zero is an empty one.
 */
#ifndef SHIM_ARGV_H
#define SHIM_ARGV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

#define ARGV_MAX     96
#define ARGV_MAX_FDS 24

struct argv {
	char *words[ARGV_MAX + 1];
	size_t n;
	int fds[ARGV_MAX_FDS];
	size_t n_fds;
	bool apart;           /* started as the first of a process namespace */
	bool no_net;          /* in an empty network namespace, where we may make one */
	const int *oom_score; /* borrowed; NULL: ours */
	bool failed;
};

void argv_finish(struct argv *argv);
#define _cleanup_argv_ __attribute__((cleanup(argv_finish)))

void argv_add(struct argv *argv, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The program keeps fd (borrowed) under its own number. Returns it, for use in a word. */
int argv_keep(struct argv *argv, int fd);

/*
 * Starts words[0], as spawn_start() does: out and err go to log_fd, it ends when we do.
 * *ret_pidfd is the caller's.
 */
int argv_spawn(const struct argv *argv, int log_fd, pid_t *ret_pid, int *ret_pidfd,
	       struct err *err);

#endif
