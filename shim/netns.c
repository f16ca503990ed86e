/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a namespace is entered by a fork, because there is no way back that cannot
 * fail. The child answers with one datagram: a status, and then the reply with its descriptors, or
 * the error's text. It dies with us, and is killed where it takes too long. We wait for it: this
 * happens before a container runs or after its pod has ended, and what it does are a few system calls.
 */
#include "shim/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

#define LIMIT_MS 10000

struct answer {
	int32_t code; /* 0, or a positive errno and data is its text */
	uint8_t data[NETNS_MAX_REPLY];
};

int netns_open(const char *path, struct netns_id *ret_id, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st, own;
	struct statfs fs;

	if (fd < 0)
		return err_set_errno(err, errno, "network namespace %s", path);
	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0 || stat("/proc/self/ns/net", &own) < 0)
		return err_set_errno(err, errno, "network namespace %s", path);
	if (fs.f_type != NSFS_MAGIC)
		return err_set(err, EINVAL, "network namespace %s: not a namespace", path);
	if (st.st_dev == own.st_dev && st.st_ino == own.st_ino)
		return err_set(err, EINVAL, "network namespace %s: it is the host's own", path);
	*ret_id = (struct netns_id){.dev = st.st_dev, .ino = st.st_ino};
	return TAKE_FD(fd);
}

static void __attribute__((noreturn))
child(int netns_fd, int sock, int (*fn)(void *data, struct netns_reply *reply, struct err *err),
      void *data)
{
	static struct netns_reply reply;
	static struct answer answer;
	struct err err = ERR_INIT;
	size_t size;

	if (setns(netns_fd, CLONE_NEWNET) < 0)
		err_set_errno(&err, errno,
			      errno == EPERM ? "entering a network namespace needs root"
					     : "entering the network namespace");
	else if (fn(data, &reply, &err) < 0 && !err.code)
		err_set(&err, EIO, "network: failed");
	answer.code = err.code;
	size = err.code ? strlen(err.msg) : reply.size;
	memcpy(answer.data, err.code ? (const void *)err.msg : reply.data, size);
	sock_send(sock, &answer, offsetof(struct answer, data) + size, reply.fds,
		  err.code ? 0 : reply.n_fds, MSG_NOSIGNAL);
	_exit(0);
}

static int wait_answer(int sock, struct netns_reply *reply, struct err *err)
{
	static struct answer answer;
	const size_t head = offsetof(struct answer, data);
	struct pollfd pfd = {.fd = sock, .events = POLLIN};
	ssize_t n;
	int r;

	do
		r = poll(&pfd, 1, LIMIT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(err, ETIMEDOUT, "network: the namespace does not answer");
	n = sock_recv(sock, &answer, sizeof(answer), reply->fds, &reply->n_fds, MSG_DONTWAIT);
	if (n < (ssize_t)head)
		return err_set(err, EPROTO, "network: the helper ended without an answer");
	n -= (ssize_t)head;
	if (answer.code > 0)
		return err_set(err, answer.code, "%.*s", (int)n, (const char *)answer.data);
	memcpy(reply->data, answer.data, (size_t)n);
	reply->size = (size_t)n;
	return 0;
}

int netns_run(int netns_fd, int (*fn)(void *data, struct netns_reply *reply, struct err *err),
	      void *data, struct netns_reply *reply, struct err *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t parent = getpid(), pid;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "cannot fork");
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(1);
		child(netns_fd, theirs, fn, data);
	}
	close_fd(&theirs);
	r = wait_answer(ours, reply, err);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
