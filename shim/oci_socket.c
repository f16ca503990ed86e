/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

int oci_socket_send(const char *option, const char *path, const char *word, int fd, struct err *err)
{
	_cleanup_close_ int dirfd = -1, sock = -1;
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	ssize_t n;
	int r;

	if (!dir)
		return err_set(err, ENOMEM, "out of memory");
	dirfd = open(slash == path ? "/" : dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = dirfd < 0 ? -errno : sock_connect_at(dirfd, slash ? slash + 1 : path, &sock);
	if (r < 0)
		return err_set_errno(err, -r, "%s %s", option, path);
	n = sock_send(sock, word, strlen(word), &fd, 1, MSG_NOSIGNAL);
	return n < 0 ? err_set_errno(err, (int)-n, "%s %s", option, path) : 0;
}

int oci_socket_send_pidfd(const char *path, pid_t pid, struct err *err)
{
	_cleanup_close_ int pidfd = -1;

	if (!path)
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_set_errno(err, errno, "--pidfd-socket: a pidfd of process %d", pid);
	return oci_socket_send("--pidfd-socket", path, "pidfd", pidfd, err);
}
