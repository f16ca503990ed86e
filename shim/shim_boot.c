/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: start. All that can fail is done before the fork, so that containerd, which
 * takes our output for the error where we exit with one, hears of it; the parent then only prints
 * the address. The daemon must not keep the parent's stdout and stderr: who started us reads them
 * until their end. It is the parent's fork, not another program, so it has the lock and the listening
 * socket from the moment it exists.
 *
 * The socket lies in RUN/s under a hash of the pod's name. One that is there already is alive, and
 * then it is the answer, or left by a dead shim, and then it is replaced. That is how the containers
 * of a pod find its shim: containerd runs start for each of them, and the bundle's annotations say
 * which pod it is (group.h). No socket is without the pod's directory, by whose lock the next start sees
 * that we were killed half-way, and removes both.
 */
#include "shim/shim_boot.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
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
#include "common/strbuf.h"
#include "shim/bootstrap.h"
#include "shim/container.h"
#include "shim/group.h"
#include "shim/oom_score.h"
#include "shim/pod_dir.h"
#include "shim/pod_socket.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "task.pb-c.h"

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

int shim_find_group(const struct shim_flags *flags, const char *bundle, char ret[POD_ID_MAX + 1],
		    struct err *err)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t size;
	int r;

	snprintf(ret, POD_ID_MAX + 1, "%s", flags->id);
	if (strcmp(flags->namespace, SHIM_OWN_NAMESPACE) == 0)
		return 0;
	if (asprintf(&path, "%s/config.json", bundle) < 0)
		return err_set(err, ENOMEM, "out of memory");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, &text, &size);
	/* A pod that is made by the Sandbox service may have none. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	return group_of(text, size, flags->id, ret, err);
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

/* Where a pod's shim listens, or will. 1: one lives there already. */
static int find_address(const struct shim_flags *flags, char **ret_address, struct err *err)
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
	r = sock_connect_at(dirfd, name, &probe);
	/* One whose queue is full lives, too. */
	return r != -ECONNREFUSED && r != -ENOENT;
}

/* The pod is ours: who listened there before is dead. */
static int bind_socket(const struct shim_flags *flags, int *ret_fd, struct err *err)
{
	_cleanup_close_ int dirfd = -1;
	char name[33];
	int r = pod_socket_dir(&dirfd, NULL, err);

	if (r < 0)
		return r;
	pod_socket_name(flags->namespace, flags->id, name);
	unlinkat(dirfd, name, 0);
	r = sock_listen_at(dirfd, name, 64, ret_fd);
	return r < 0 ? err_set_errno(err, -r, "the pod's socket") : 0;
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

	/* Threads are few and short; what they free is to be of use to the loop. */
	mallopt(M_ARENA_MAX, 1);
	if (r < 0) {
		log_error("cannot become a daemon: %s", strerror(-r));
		return 125;
	}
	return shim_serve(pod, listen_fd, client_fd, log_fd);
}

/* containerd makes a fifo for what a shim has to say and copies it to its own log. */
static void open_containerd_log(void)
{
	int fd = open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	/* Kept for the process's life. */
	if (fd >= 0)
		log_copy_to(fd);
}

/* containerd is not to be killed for want of memory; its shims are second to last. */
static void set_oom_score(void)
{
	int parent;

	if (oom_score_read(0, &parent) == 0)
		oom_score_write(0, oom_score_above(parent));
}

static int print_address(const struct bootstrap *bootstrap, const char *address, struct err *err)
{
	_cleanup_strbuf_ struct strbuf answer = {0};
	int r = bootstrap_answer(bootstrap->form, getenv("MAX_SHIM_VERSION"), address, &answer);

	if (r == 0)
		r = io_write_full(STDOUT_FILENO, answer.data, answer.len);
	return r < 0 ? err_set_errno(err, -r, "cannot print the address") : 0;
}

int shim_read_input(char **ret, size_t *ret_size, struct err *err)
{
	_cleanup_strbuf_ struct strbuf input = {0};
	char chunk[4096];
	ssize_t n;

	/* A person's terminal has no end, and nothing to say. */
	while (!isatty(STDIN_FILENO) && input.len <= BOOTSTRAP_MAX_BYTES) {
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		/* A caller may have closed it. */
		if (n < 0 && errno != EBADF)
			return err_set_errno(err, errno, "standard input");
		if (n <= 0)
			break;
		if (strbuf_add(&input, chunk, (size_t)n) < 0)
			return err_set(err, ENOMEM, "out of memory");
	}
	*ret_size = input.len;
	*ret = strbuf_take(&input);
	return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* What we are told beside the flags; the daemon finds it where it would find the flags' own. */
static int read_bootstrap(struct shim_flags *flags, struct bootstrap *ret, struct err *err)
{
	_cleanup_free_ char *input = NULL;
	size_t size = 0;
	int r = shim_read_input(&input, &size, err);

	if (r == 0)
		r = bootstrap_decode(input, size, flags->id, flags->namespace, ret, err);
	if (r < 0)
		return r;
	flags->debug |= ret->debug;
	if (ret->ttrpc_address && setenv("TTRPC_ADDRESS", ret->ttrpc_address, 0) < 0)
		return err_set_errno(err, errno, "setenv");
	return 0;
}

int shim_start(const struct shim_flags *as_given, bool *ret_daemon, struct err *err)
{
	struct shim_flags pod_flags = *as_given, *flags = &pod_flags;
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_close_ int client_fd = inherited_fd(SHIM_ENV_CLIENT);
	_cleanup_close_ int listen_fd = -1, log_fd = -1;
	_cleanup_bootstrap_ struct bootstrap bootstrap = {0};
	_cleanup_free_ char *address = NULL;
	char group[POD_ID_MAX + 1];
	pid_t pid;
	bool chosen = getenv(SHIM_ENV_LOCK) != NULL;
	int r = 0;

	/* Who hands the pod's lock over has chosen the pod, and reads the address in its directory. */
	if (chosen)
		snprintf(group, sizeof(group), "%s", as_given->id);
	else
		r = read_bootstrap(flags, &bootstrap, err);
	if (r == 0 && !chosen)
		r = shim_find_group(as_given, ".", group, err);
	flags->id = group;
	/* containerd calls no delete for a start that was killed; what is in its way fails here below. */
	if (r == 0 && !chosen)
		pod_dir_remove_dead(flags->namespace, NULL);
	if (r == 0)
		r = find_address(flags, &address, err);
	if (!address)
		return r;
	if (r == 0)
		r = open_pod(flags, &pod, err);
	if (r == 0 && pod)
		r = bind_socket(flags, &listen_fd, err);
	/* The bundle is our working directory; it gets the address that containerd reads back. */
	if (r >= 0 && !chosen)
		r = write_address(AT_FDCWD, address, err) < 0 ? -EIO : r;
	if (r == 0 && pod)
		r = write_address(pod->dirfd, address, err);
	if (r == 0 && pod)
		r = open_log(pod, flags, &log_fd, err);
	pid = r == 0 && pod ? fork() : 1;
	if (pid < 0)
		r = err_set_errno(err, errno, "cannot fork");
	/* A chosen pod is its chooser's to remove. */
	if (r < 0 && pod && !chosen)
		pod_dir_remove(pod, NULL);
	if (r < 0)
		return r;
	if (pid == 0) {
		*ret_daemon = true;
		if (!chosen)
			open_containerd_log();
		set_oom_score();
		return run_daemon(TAKE_PTR(pod), TAKE_FD(listen_fd), TAKE_FD(client_fd), log_fd);
	}
	return print_address(&bootstrap, address, err);
}
