/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "shim/image_userns.h"

#define TICK_MS       200
#define QUIET_NS      1000000000ull
#define SPACE_RESERVE (256ull << 20)
#define FILES_RESERVE 4096

/* What the child says at its end, before the result. */
struct verdict {
	int code;
	struct err err;
};

/* --- the child ------------------------------------------------------------------------------ */

/* unshare, then wait until the parent has mapped the ids: one byte. */
static int enter_userns(int sync_fd, struct err *err)
{
	char go;

	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(err, ENOPKG, "this machine does not let users make namespaces: %s",
			       strerror(errno));
	if (write(sync_fd, "u", 1) != 1 || read(sync_fd, &go, 1) != 1)
		return err_set(err, EPIPE, "the caller is gone");
	return image_userns_become_root(err);
}

static void job_child(const struct image_job *job, int sync_fd, int result_fd, pid_t parent)
{
	struct verdict verdict = {0};
	int r = 0;

	if (job->userns)
		r = enter_userns(sync_fd, &verdict.err);
	/* A change of ids clears it, so it comes after; and the parent may be gone by then. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	/* Equal images must not depend on the caller's shell. */
	umask(022);
	setenv("LC_ALL", "C", 1);
	if (r == 0 && fchdir(job->dirfd) < 0)
		r = err_set_errno(&verdict.err, errno, "image store");
	if (r == 0)
		r = job->run(job->arg, &verdict.err);
	verdict.code = r;
	r = io_write_full(result_fd, &verdict, sizeof(verdict));
	if (r == 0 && job->result)
		r = io_write_full(result_fd, job->result, job->result_size);
	_exit(r < 0);
}

/* --- the parent ----------------------------------------------------------------------------- */

struct progress {
	const char *doing;
	uint64_t begin;
	bool terminal, shown;
};

static void progress_tick(struct progress *progress)
{
	uint64_t ns = now_ns() - progress->begin;

	if (!progress->doing || ns < QUIET_NS / (progress->terminal ? 4 : 1))
		return;
	if (progress->terminal)
		fprintf(stderr, "\r\033[Ksbx: %s ... %.0f s", progress->doing, (double)ns / 1e9);
	else if (!progress->shown)
		fprintf(stderr, "sbx: %s ...\n", progress->doing);
	progress->shown = true;
}

static void progress_end(struct progress *progress)
{
	if (progress->shown && progress->terminal)
		fprintf(stderr, "\r\033[K");
}

static int check_space(int dirfd, struct err *err)
{
	struct statvfs st;

	if (fstatvfs(dirfd, &st) < 0)
		return 0;
	if ((uint64_t)st.f_bavail * st.f_frsize < SPACE_RESERVE)
		return err_set(err, ENOSPC,
			       "the image store's file system has less than 256 MiB left");
	if (st.f_files && st.f_favail < FILES_RESERVE)
		return err_set(err, ENOSPC, "the image store's file system has no inodes left");
	return 0;
}

/* Maps the child's ids when it asks for it. A child that ends instead tells why by its verdict. */
static int serve_userns(const struct image_job *job, int sync_fd, pid_t pid, struct err *err)
{
	char byte;
	int r;

	if (io_read_full(sync_fd, &byte, 1) < 0)
		return 0;
	r = image_userns_map(job->userns, pid, err);
	return r < 0 ? r : io_write_full(sync_fd, "g", 1);
}

static int await(const struct image_job *job, int fd, struct err *err)
{
	struct progress progress = {.doing = job->doing, .begin = now_ns()};
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct verdict verdict;
	int r;

	progress.terminal = isatty(STDERR_FILENO);
	do {
		r = job->doing ? check_space(job->dirfd, err) : 0;
		if (r < 0)
			break;
		progress_tick(&progress);
		r = poll(&pfd, 1, TICK_MS);
		if (r < 0)
			r = errno == EINTR ? 0 : err_set_errno(err, errno, "poll");
	} while (r == 0);
	progress_end(&progress);
	if (r < 0)
		return r;
	if (io_read_full(fd, &verdict, sizeof(verdict)) < 0)
		return err_set(err, EIO, "building the image was ended from outside");
	if (verdict.code < 0) {
		if (err)
			*err = verdict.err;
		return verdict.code;
	}
	if (job->result && io_read_full(fd, job->result, job->result_size) < 0)
		return err_set(err, EIO, "building the image was ended from outside");
	return 0;
}

int image_job_run(const struct image_job *job, struct err *err)
{
	_cleanup_close_ int result_fd = -1, child_result_fd = -1, sync_fd = -1, child_sync_fd = -1;
	pid_t parent = getpid(), pid;
	int fds[2], r = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "pipe");
	result_fd = fds[0];
	child_result_fd = fds[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set_errno(err, errno, "socketpair");
	sync_fd = fds[0];
	child_sync_fd = fds[1];
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "fork");
	if (pid == 0) {
		close(sync_fd);
		close(result_fd);
		job_child(job, child_sync_fd, child_result_fd, parent);
	}
	close_fd(&child_result_fd);
	close_fd(&child_sync_fd);
	if (job->userns)
		r = serve_userns(job, sync_fd, pid, err);
	close_fd(&sync_fd);
	if (r == 0)
		r = await(job, result_fd, err);
	/* By now it has said all that it will; helpers of a child that we gave up go with it. */
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
