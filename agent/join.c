/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: an exec's helper. The agent puts it into the container's cgroup; it takes
 * all namespaces of the container's init at once, through its pidfd, and clones the process proper,
 * which thereby is in the pid namespace. From there on every name that is opened is the
 * container's to choose: each is checked for what it is, and if an open never returns, only
 * this process waits, in a cgroup that dies with the container. A copy (copy.c) goes the same way, but
 * into the mount namespace alone.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/child.h"
#include "agent/copy.h"
#include "agent/fsmount.h"
#include "agent/report.h"
#include "common/cleanup.h"

static void __attribute__((noreturn)) run_joined(const struct child_args *args, int sync_fd)
{
	struct report ready = {.kind = REPORT_READY};
	struct err err = ERR_INIT;
	int root, tty = -1;

	if (report_wait_go(sync_fd) < 0)
		_exit(EXIT_SETUP);
	close(sync_fd);
	setsid();
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		err_set_errno(&err, errno, "opening the container's root");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (args->process->terminal) {
		tty = child_open_terminal(args, root, &err);
		if (tty < 0)
			report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (report_send(args->report_fd, &ready, -1) < 0 || report_wait_go(args->report_fd) < 0)
		_exit(EXIT_SETUP);
	if (args->copy)
		copy_run(args, root);
	child_become(args, root, tty);
}

static int join_namespaces(const struct child_args *args, struct err *err)
{
	uint64_t namespaces = args->copy ? CLONE_NEWNS : args->namespaces;

	if (setns(args->init_pidfd, (int)namespaces) < 0)
		return err_set_errno(err, errno == ESRCH ? ENOENT : errno,
				     "joining the container's namespaces");
	return namespaces & CLONE_NEWUSER ? child_become_root(args, err) : 0;
}

/*
 * For a stream that nobody has. Not the container's own, which its programs may have broken, and no process could
 * be run in it any more, not even one that looks after it; nor the agent's, whose mode they could change. And in
 * a file system of its own, which is mounted nowhere: where anybody with rights enough can mount the same, a name is
 * another file by the time that it is opened, and a descriptor of one of the agent's mounts leads to its root.
 */
static int make_null(void)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int root = -1;
	int fd;

	if (fsmount_open(&fs, "tmpfs", NULL) < 0)
		return -1;
	root = fsmount_create(&fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, NULL);
	/* By the name that programs know, as far as they look. */
	if (root < 0 || mkdirat(root, "dev", 0755) < 0 ||
	    mknodat(root, "dev/null", S_IFCHR | 0666, makedev(1, 3)) < 0)
		return -1;
	fd = openat(root, "dev/null", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		fchmod(fd, 0666);
	return fd;
}

static bool wants_null(const struct child_args *args)
{
	return !args->copy && !args->process->terminal &&
	       (args->stdio[0] < 0 || args->stdio[1] < 0 || args->stdio[2] < 0);
}

void child_join(const struct child_args *of)
{
	struct child_args own = *of;
	const struct child_args *args = &own;
	struct err err = ERR_INIT;
	int pidfd = -1, sync[2];
	pid_t pid;

	own.null_fd = wants_null(args) ? make_null() : -1;
	if (join_namespaces(args, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) {
		err_set_errno(&err, errno, "socket pair");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	pid = child_clone(0, -1, &pidfd);
	if (pid < 0) {
		err_set_errno(&err, -pid, "cloning into the container");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (!pid) {
		close(sync[0]);
		run_joined(args, sync[1]);
	}
	close(sync[1]);
	child_announce(args, pid, pidfd, sync[0]);
	_exit(0);
}
