/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a logger's life is longer than its process's by the time it needs for what is
 * still in its pipes. It runs until the end of its input, and by itself ends then:
 *
 *	RUNNING --binary_log_end()--> ENDING --12 s--> SIGTERM --12 s--> SIGKILL
 *	    `-------------- it ends, whenever: reaped, freed after binary_log_end() --------'
 *
 * Whether it is ready is not waited for: what it has not read yet is in the pipes, and where they are
 * full its process waits. It outlives us where it still writes: the end of its input is all that it needs.
 */
#include "shim/binary_log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "shim/spawn.h"
#include "shim/uri.h"

struct binary_log {
	int pidfd;
	int ready_fd; /* whatever it says there: the pipe is whole */
	struct source *exit, *patience;
	bool ending; /* nobody has a pointer to us */
	bool gone;
	int next_signal;
};

/* --- the URI ---------------------------------------------------------------------------------- */

static bool has_key(const struct binary_log_args *args, const char *key)
{
	for (size_t i = 1; i + 1 < args->n; i += 2)
		if (strcmp(args->argv[i], key) == 0)
			return true;
	return false;
}

/* KEY=VALUE or KEY, whose value is empty. Of a key that is there twice the first value counts. */
static int add_pair(struct binary_log_args *args, const char *from, const char *end, char **into)
{
	const char *equals = memchr(from, '=', (size_t)(end - from));
	const char *key = uri_decode(from, equals ? equals : end, true, into);
	const char *value = uri_decode(equals ? equals + 1 : end, end, true, into);

	if (!key || !value || args->n + 2 > BINARY_LOG_MAX_ARGS + 1)
		return -EINVAL;
	if (has_key(args, key))
		return 0;
	args->argv[args->n++] = key;
	args->argv[args->n++] = value;
	return 0;
}

static int parse_words(const char *text, struct binary_log_args *args)
{
	const char *path_end = text + strcspn(text, "?#");
	const char *at = *path_end == '?' ? path_end + 1 : path_end;
	const char *end = at + strcspn(at, "#");
	char *into = args->block;
	int r = 0;

	args->argv[0] = uri_decode(text, path_end, false, &into);
	args->n = 1;
	if (!args->argv[0] || args->argv[0][0] != '/')
		return -EINVAL;
	while (at < end && r == 0) {
		size_t n = strcspn(at, "&#");

		if (n)
			r = add_pair(args, at, at + n, &into);
		at += n + (at[n] == '&');
	}
	return r;
}

int binary_log_parse(const char *uri, struct binary_log_args *ret, struct err *err)
{
	size_t scheme = strlen(BINARY_LOG_SCHEME), size = strlen(uri);
	struct binary_log_args args = {0};

	if (size > URI_MAX || strncmp(uri, BINARY_LOG_SCHEME, scheme) != 0)
		return err_set(err, EINVAL, "stream %.64s…: not a program's, or too long", uri);
	/* No word is longer than what it is made of; a pair without a value has one NUL more. */
	args.block = malloc(2 * (size - scheme) + 2);
	if (!args.block)
		return err_set(err, ENOMEM, "out of memory");
	if (parse_words(uri + scheme, &args) < 0) {
		free(args.block);
		return err_set(err, EINVAL,
			       "stream %.200s: not an absolute path with at most %d pairs", uri,
			       BINARY_LOG_MAX_ARGS / 2);
	}
	*ret = args;
	return 0;
}

void binary_log_args_finish(struct binary_log_args *args)
{
	free(args->block);
	*args = (struct binary_log_args){0};
}

/* --- the program ------------------------------------------------------------------------------ */

static void log_free(struct binary_log *log)
{
	source_remove(log->exit);
	source_remove(log->patience);
	close_fd(&log->pidfd);
	close_fd(&log->ready_fd);
	free(log);
}

static void on_exit_of(struct source *source, uint32_t events, void *data)
{
	struct binary_log *log = data;
	char how[64] = "has gone";
	int code = spawn_reap(log->pidfd, how, sizeof(how));

	if (code != 0 || !log->ending)
		log_warn("a program that takes output %s%s", how,
			 log->ending ? "" : " before its input did");
	source_remove(TAKE_PTR(log->exit));
	log->gone = true;
	if (log->ending)
		log_free(log);
}

static void on_patience(struct source *source, uint32_t events, void *data)
{
	struct binary_log *log = data;

	syscall(SYS_pidfd_send_signal, log->pidfd, log->next_signal, NULL, 0);
	log->next_signal = SIGKILL;
	source_arm(source, BINARY_LOG_GRACE_NS);
}

static int make_pipes(int read_ends[3], int write_ends[3])
{
	for (int i = 0; i < 3; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		read_ends[i] = fds[0];
		write_ends[i] = fds[1];
	}
	/* Our ends must not stop the event loop. */
	io_set_nonblock(write_ends[0], true);
	io_set_nonblock(write_ends[1], true);
	return 0;
}

static int spawn_logger(const struct binary_log_args *args, const char *id, const char *namespace,
			const int fds[3], int *ret_pidfd, struct err *err)
{
	char id_text[256], namespace_text[256];
	const char *const envp[] = {id_text, namespace_text, NULL};
	const struct spawn spawn = {
		.argv = args->argv,
		.envp = envp,
		.out_fd = -1,
		.err_fd = -1,
		.pass = fds,
		.n_pass = 3,
	};
	pid_t pid;

	if (snprintf(id_text, sizeof(id_text), "CONTAINER_ID=%s", id) >= (int)sizeof(id_text) ||
	    snprintf(namespace_text, sizeof(namespace_text), "CONTAINER_NAMESPACE=%s", namespace) >=
		    (int)sizeof(namespace_text))
		return err_set(err, ENAMETOOLONG, "stream: the container's id is too long");
	return spawn_start(&spawn, &pid, ret_pidfd, err);
}

static int watch(struct loop *loop, int pidfd, struct binary_log **ret, struct err *err)
{
	struct binary_log *log = calloc(1, sizeof(*log));
	int r;

	if (!log) {
		close(pidfd);
		return err_set(err, ENOMEM, "out of memory");
	}
	*log = (struct binary_log){.pidfd = pidfd, .ready_fd = -1, .next_signal = SIGTERM};
	r = loop_add_io(loop, pidfd, EPOLLIN, on_exit_of, log, &log->exit);
	if (r == 0)
		r = loop_add_timer(loop, on_patience, log, &log->patience);
	if (r < 0) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		log_free(log);
		return err_set_errno(err, -r, "cannot watch a program");
	}
	*ret = log;
	return 0;
}

int binary_log_start(struct loop *loop, const char *uri, const char *id, const char *namespace,
		     int ret_fds[2], struct binary_log **ret, struct err *err)
{
	struct binary_log_args args = {0};
	int read_ends[3] = {-1, -1, -1}, write_ends[3] = {-1, -1, -1}, pidfd = -1;
	int r = binary_log_parse(uri, &args, err);

	if (r == 0) {
		r = make_pipes(read_ends, write_ends);
		if (r < 0)
			err_set_errno(err, -r, "cannot make a pipe");
	}
	if (r == 0) {
		const int fds[3] = {read_ends[0], read_ends[1], write_ends[2]};

		r = spawn_logger(&args, id, namespace, fds, &pidfd, err);
	}
	if (r == 0)
		r = watch(loop, pidfd, ret, err);
	if (r == 0) {
		ret_fds[0] = TAKE_FD(write_ends[0]);
		ret_fds[1] = TAKE_FD(write_ends[1]);
		(*ret)->ready_fd = TAKE_FD(read_ends[2]);
	}
	for (int i = 0; i < 3; i++) {
		close_fd(&read_ends[i]);
		close_fd(&write_ends[i]);
	}
	binary_log_args_finish(&args);
	return r;
}

void binary_log_end(struct binary_log *log)
{
	if (!log)
		return;
	log->ending = true;
	if (log->gone)
		log_free(log);
	else
		source_arm(log->patience, BINARY_LOG_GRACE_NS);
}
