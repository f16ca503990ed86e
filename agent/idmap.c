/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a user namespace is born with a process, whose maps another one writes. The
 * process is a child that waits to be killed. It may be made from inside a new pid namespace, where its
 * number is another than in the agent's /proc, the only one at hand: so it says itself what it is called
 * there.
 */
#include "agent/idmap.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/opts.h"
#include "common/strbuf.h"

static int write_map(pid_t pid, const char *file, const struct plan_idmap *maps, size_t n,
		     struct err *err)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	char path[64];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = strbuf_addf(&text, "%u %u %u\n", maps[i].container_id, maps[i].host_id,
				maps[i].size);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	if (r >= 0)
		r = io_write_value(AT_FDCWD, path, text.data);
	return r < 0 ? err_set_errno(err, -r, "writing %s", file) : 0;
}

int idmap_write(pid_t pid, const struct idmaps *maps, struct err *err)
{
	int r = write_map(pid, "uid_map", maps->uid, maps->n_uid, err);

	return r < 0 ? r : write_map(pid, "gid_map", maps->gid, maps->n_gid, err);
}

static void __attribute__((noreturn)) run_holder(int report_fd)
{
	char name[16] = "";

	if (readlink("/proc/self", name, sizeof(name) - 1) < 0 ||
	    io_write_full(report_fd, name, sizeof(name)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static int open_of(int report_fd, const struct idmaps *maps, struct err *err)
{
	char name[16], path[64];
	uint64_t pid;
	int fd, r;

	r = io_read_full(report_fd, name, sizeof(name));
	if (r < 0 || name[sizeof(name) - 1] || parse_uint(name, &pid) < 0 || pid > INT32_MAX)
		return err_set(err, EIO, "a user namespace's process has died");
	r = idmap_write((pid_t)pid, maps, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (pid_t)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

int idmap_open(const struct idmaps *maps, struct err *err)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	_cleanup_close_ int report = -1, report_w = -1;
	int pipefd[2], fd;
	pid_t pid;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	report = pipefd[0];
	report_w = pipefd[1];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return err_set_errno(err, errno, "user namespace");
	if (!pid)
		run_holder(report_w);
	close_fd(&report_w);
	fd = open_of(report, maps, err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}
