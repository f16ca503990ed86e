/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: start. All that can fail is done before the fork, so that containerd, which
 * takes our output for the error where we exit with one, hears of it; the parent then only prints
 * the address. The daemon must not keep the parent's stdout and stderr: who started us reads them
 * until their end. It is the parent's fork, not another program, so it has the lock and the listening
 * socket from the moment it exists.
 *
 * The socket lies in RUN/s under a hash of the pod's name. One that is there already is alive, and
 * then it is the answer, or left by a dead shim, and then it is replaced.
 */
#include "shim/shim_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/opts.h"
#include "shim/container.h"
#include "shim/pod_dir.h"
#include "shim/shim.h"
#include "task.pb-c.h"

#define LOCK_WAIT_NS (2 * 1000000000ull)

/* The descriptor that the environment names, -1 where it names none. It is unset: helpers of ours
 * must not take it for theirs. */
static int inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	uint64_t fd;

	if (!text || parse_uint(text, &fd) < 0 || fd < 3 || fd > 1023 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	unsetenv(variable);
	return (int)fd;
}

static int open_pod(const struct shim_flags *flags, struct pod_dir **ret, struct err *err)
{
	_cleanup_close_ int lock_fd = inherited_fd(SHIM_ENV_LOCK);
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	int r;

	if (lock_fd < 0)
		return pod_dir_create(flags->namespace, flags->id, ret, err);
	r = pod_dir_open(flags->namespace, flags->id, &pod, err);
	if (r < 0)
		return r;
	r = pod_dir_adopt_lock(pod, lock_fd);
	if (r < 0)
		return err_set_errno(err, -r, "the lock that was handed over");
	TAKE_FD(lock_fd);
	*ret = TAKE_PTR(pod);
	return 0;
}

/* 1: a live shim is there already. */
static int bind_socket(const struct shim_flags *flags, int *ret_fd, char **ret_address,
		       struct err *err)
{
	_cleanup_close_ int dirfd = -1, probe = -1;
	_cleanup_free_ char *dir = NULL;
	char name[33];
	int r = pod_socket_dir(&dirfd, &dir, err);

	if (r < 0)
		return r;
	pod_socket_name(flags->namespace, flags->id, name);
	if (asprintf(ret_address, "unix://%s/%s", dir, name) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = sock_listen_at(dirfd, name, 64, ret_fd);
	if (r == -EADDRINUSE && sock_connect_at(dirfd, name, &probe) == 0)
		return 1;
	if (r == -EADDRINUSE) {
		unlinkat(dirfd, name, 0);
		r = sock_listen_at(dirfd, name, 64, ret_fd);
	}
	return r < 0 ? err_set_errno(err, -r, "%s/%s", dir, name) : 0;
}

static int write_address(int dirfd, const char *address, struct err *err)
{
	int r = io_write_atomic(dirfd, "address", address, strlen(address), 0600);

	return r < 0 ? err_set_errno(err, -r, "cannot write the address file") : 0;
}

static int open_log(struct pod_dir *pod, const struct shim_flags *flags, int *ret, struct err *err)
{
	int fd = openat(pod->dirfd, "shim.log", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(err, errno, "%s/shim.log", pod->path);
	log_open(fd, flags->debug ? LOG_DEBUG : LOG_INFO, "shim");
	*ret = fd;
	return 0;
}

/* Detaches the daemon from whoever started it. */
static int become_daemon(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || setsid() < 0 || chdir("/") < 0 || dup2(null_fd, 0) < 0 ||
	    dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0)
		return -errno;
	umask(0077);
	if (null_fd > 2)
		close(null_fd);
	return 0;
}

static int run_daemon(struct pod_dir *pod, int listen_fd, int client_fd, int log_fd)
{
	int r = become_daemon();

	if (r < 0) {
		log_error("cannot become a daemon: %s", strerror(-r));
		return 125;
	}
	return shim_serve(pod, listen_fd, client_fd, log_fd);
}

int shim_start(const struct shim_flags *flags, bool *ret_daemon, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_close_ int client_fd = inherited_fd(SHIM_ENV_CLIENT);
	_cleanup_close_ int listen_fd = -1, log_fd = -1;
	_cleanup_free_ char *address = NULL;
	pid_t pid;
	int r = bind_socket(flags, &listen_fd, &address, err);

	/* The bundle is our working directory; it gets the address that containerd reads back. */
	if (r >= 0 && strcmp(flags->namespace, SHIM_OWN_NAMESPACE) != 0)
		r = write_address(AT_FDCWD, address, err) < 0 ? -EIO : r;
	if (r == 0)
		r = open_pod(flags, &pod, err);
	if (r == 0 && pod)
		r = write_address(pod->dirfd, address, err);
	if (r == 0 && pod)
		r = open_log(pod, flags, &log_fd, err);
	if (r < 0)
		return r;
	pid = pod ? fork() : 1;
	if (pid < 0)
		return err_set_errno(err, errno, "cannot fork");
	if (pid == 0) {
		*ret_daemon = true;
		return run_daemon(TAKE_PTR(pod), TAKE_FD(listen_fd), TAKE_FD(client_fd), log_fd);
	}
	printf("%s", address);
	if (fflush(stdout) != 0)
		return err_set_errno(err, errno, "cannot print the address");
	return 0;
}

/* --- delete ----------------------------------------------------------------------------------- */

/* A shim that lives still holds the lock; its death frees it. */
static int take_pod(struct pod_dir *pod)
{
	_cleanup_record_ struct record record = {0};
	uint64_t begin = now_ns();
	int r = pod_dir_try_lock(pod);

	if (r == -EBUSY && pod_dir_read_record(pod, &record, NULL) == 0 && record.shim_pid > 0)
		kill(record.shim_pid, SIGKILL);
	while (r == -EBUSY && now_ns() - begin < LOCK_WAIT_NS) {
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		r = pod_dir_try_lock(pod);
	}
	return r;
}

int shim_delete(const struct shim_flags *flags, struct err *err)
{
	Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	Google__Timestamp at;
	struct timespec now;
	uint8_t buf[64];
	size_t n;
	int r = pod_dir_open(flags->namespace, flags->id, &pod, err);

	if (r == 0) {
		r = take_pod(pod);
		if (r == 0)
			pod_dir_remove(pod, NULL);
		else if (r != -ENOENT)
			return err_set_errno(err, -r, "%s: cannot lock", pod->path);
	} else if (r != -ENOENT) {
		return r;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	response.exit_status = 128 + SIGKILL;
	response.exited_at = container_timestamp(
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, &at);
	n = protobuf_c_message_get_packed_size(&response.base);
	if (n > sizeof(buf))
		return err_set(err, EMSGSIZE, "delete: the response is too long");
	protobuf_c_message_pack(&response.base, buf);
	r = io_write_full(STDOUT_FILENO, buf, n);
	return r < 0 ? err_set_errno(err, -r, "cannot print the response") : 0;
}
