/* SPDX-License-Identifier: Apache-2.0 */
/* The socket half of io.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"

/* A directory's descriptor stands in for its path, which may be longer than sun_path. */
static int address(int dirfd, const char *name, struct sockaddr_un *sun)
{
	char dir[PATH_FD_MAX];
	int n;

	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (dirfd < 0)
		n = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", name);
	else
		n = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/%s", path_of_fd(dirfd, dir),
			     name);
	return n < (int)sizeof(sun->sun_path) ? 0 : -ENAMETOOLONG;
}

int sock_listen_at(int dirfd, const char *name, int backlog, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun;
	mode_t saved;
	int r;

	if (fd < 0)
		return -errno;
	r = address(dirfd, name, &sun);
	if (r < 0)
		return r;
	saved = umask(0177);
	r = bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ? -errno : 0;
	umask(saved);
	if (r < 0)
		return r;
	if (listen(fd, backlog) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int sock_connect_at(int dirfd, const char *name, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sun;
	int r;

	if (fd < 0)
		return -errno;
	r = address(dirfd, name, &sun);
	if (r < 0)
		return r;
	/* Unix connects are immediate: EAGAIN means that the backlog is full. */
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int sock_check_peer(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	return cred.uid == 0 || cred.uid == geteuid() ? 0 : -EPERM;
}

union fd_message {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * IO_MAX_FDS)];
};

ssize_t sock_send(int fd, const void *buf, size_t n, const int *fds, size_t nfds, int flags)
{
	union fd_message control = {0};
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t r;

	if (nfds > IO_MAX_FDS)
		return -E2BIG;
	if (nfds) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
	}
	do
		r = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t sock_recv(int fd, void *buf, size_t n, int fds[IO_MAX_FDS], size_t *ret_nfds, int flags)
{
	union fd_message control;
	struct iovec iov = {.iov_base = buf, .iov_len = n};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	size_t got = 0;
	ssize_t r;

	do
		r = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count > IO_MAX_FDS - got)
			count = IO_MAX_FDS - got; /* cannot be: the buffer holds no more */
		memcpy(fds + got, CMSG_DATA(c), count * sizeof(int));
		got += count;
	}
	if (msg.msg_flags & MSG_CTRUNC) {
		for (size_t i = 0; i < got; i++)
			close(fds[i]);
		return -EPROTO;
	}
	*ret_nfds = got;
	return r;
}
