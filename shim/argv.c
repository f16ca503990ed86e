/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/argv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/spawn.h"

void argv_finish(struct argv *argv)
{
	for (size_t i = 0; i < argv->n; i++)
		free(argv->words[i]);
	*argv = (struct argv){0};
}

void argv_add(struct argv *argv, const char *fmt, ...)
{
	char *word = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (argv->n == ARGV_MAX || vasprintf(&word, fmt, ap) < 0)
		argv->failed = true;
	else
		argv->words[argv->n++] = word;
	va_end(ap);
}

int argv_keep(struct argv *argv, int fd)
{
	if (argv->n_fds == ARGV_MAX_FDS)
		argv->failed = true;
	else
		argv->fds[argv->n_fds++] = fd;
	return fd;
}

int argv_spawn(const struct argv *argv, int log_fd, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	const struct spawn spawn = {
		.argv = (const char *const *)argv->words,
		.fds = argv->fds,
		.n_fds = argv->n_fds,
		.out_fd = log_fd,
		.err_fd = log_fd,
		.die_with_us = true,
		.apart = argv->apart,
		.no_net = argv->no_net,
		.oom_score = argv->oom_score,
	};

	if (argv->failed)
		return err_set(err, ENOMEM, "out of memory");
	return spawn_start(&spawn, ret_pid, ret_pidfd, err);
}
