/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of the host as a detached mount: what has no place in any tree has no "..", so whoever gets
 * its descriptor gets what is beneath it, whatever becomes of him; nor does it hinder whoever unmounts
 * the original.
 *
 * That takes the right to mount. An ordinary user has it in a user namespace only, which the shim must
 * not enter: a child does, makes the mount and hands it back. There the user may not take the mounts
 * beneath off, since the host's root may have hidden something under them; so they come along.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/share.h"

/* Returns the fd. */
static int clone_mount(const char *path, bool readonly, bool recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	_cleanup_close_ int fd =
		open_tree(AT_FDCWD, path, flags | (recursive ? (unsigned int)AT_RECURSIVE : 0));

	if (fd < 0)
		return -errno;
	if (readonly && mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
				      sizeof(attr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* In the child. Returns its exit status. */
static int send_clone(int sock, const char *path, bool readonly)
{
	int fd;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return 1;
	fd = clone_mount(path, readonly, true);
	return fd >= 0 && sock_send(sock, "", 1, &fd, 1, 0) == 1 ? 0 : 1;
}

static int clone_as_user(const char *path, bool readonly)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], fds[IO_MAX_FDS];
	size_t n_fds = 0;
	ssize_t n;
	pid_t pid;
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(send_clone(theirs, path, readonly));
	close_fd(&theirs);
	n = sock_recv(ours, &byte, 1, fds, &n_fds, 0);
	waitpid(pid, NULL, 0);
	if (n != 1 || n_fds != 1)
		return -EPERM;
	return fds[0];
}

static bool is_same(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

int share_clone(const char *path, bool readonly, bool recursive, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC), clone = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: neither a directory nor a regular file", path);
	clone = clone_mount(path, readonly, recursive);
	if (clone == -EPERM)
		clone = clone_as_user(path, readonly);
	/* A host that grants neither: sbx-share alone keeps to the folder, and keeps it read-only. */
	return clone >= 0 && is_same(clone, fd) ? TAKE_FD(clone) : TAKE_FD(fd);
}
