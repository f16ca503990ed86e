/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/cli_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/places.h"
#include "shim/shim_boot.h"
#include "shim/spawn.h"

static int set_fd_variable(const char *name, int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	return setenv(name, text, 1) < 0 ? -errno : 0;
}

/* What the shim's start prints: the address, or what went wrong. */
static int read_output(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		ssize_t got = read(fd, buf + n, size - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static int spawn_shim(struct pod_dir *pod, bool debug, int client_fd, struct err *err)
{
	_cleanup_free_ char *program = NULL;
	_cleanup_close_ int out = -1, out_w = -1, pidfd = -1;
	char output[512], how[64];
	const int fds[] = {pod->lock_fd, client_fd};
	struct spawn spawn = {.fds = fds, .n_fds = ARRAY_SIZE(fds)};
	int pair[2], r = places_find_program("containerd-shim-sbx-v2", &program, err);
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	out = pair[0];
	out_w = pair[1];
	spawn.out_fd = spawn.err_fd = out_w;
	spawn.argv = (const char *const[]){program,
					   "-namespace",
					   pod->namespace,
					   "-id",
					   pod->id,
					   "-bundle",
					   pod->path,
					   debug ? "-debug" : "start",
					   debug ? "start" : NULL,
					   NULL};
	r = set_fd_variable(SHIM_ENV_LOCK, pod->lock_fd);
	if (r == 0)
		r = set_fd_variable(SHIM_ENV_CLIENT, client_fd);
	if (r < 0)
		return err_set_errno(err, -r, "setenv");
	r = spawn_start(&spawn, &pid, &pidfd, err);
	close_fd(&out_w);
	unsetenv(SHIM_ENV_LOCK);
	unsetenv(SHIM_ENV_CLIENT);
	if (r < 0)
		return r;
	read_output(out, output, sizeof(output));
	if (spawn_reap(pidfd, how, sizeof(how)) != 0)
		return err_set(err, EIO, "the shim did not start: %s", output[0] ? output : how);
	return 0;
}

int cli_spawn_shim(struct pod_dir *pod, bool debug, struct cli_shim *ret, struct err *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	r = spawn_shim(pod, debug, theirs, err);
	if (r < 0)
		return r;
	/* The lock is the shim's from here on. */
	close_fd(&pod->lock_fd);
	close_fd(&theirs);
	return cli_shim_open(TAKE_FD(ours), ret, err);
}
