/* SPDX-License-Identifier: Apache-2.0 */
#include "common/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

bool apart_is_first(void)
{
	return getpid() == 1;
}

static int flags(const struct apart *apart)
{
	return CLONE_NEWPID | (apart->uid ? CLONE_NEWUSER : 0);
}

pid_t apart_fork(struct apart *ret)
{
	*ret = (struct apart){geteuid(), getegid()};
	/* fork(2) knows no flags. That the library's idea of its thread is the parent's lasts till the exec. */
	return (pid_t)syscall(SYS_clone, (unsigned long)(flags(ret) | SIGCHLD), NULL, NULL, NULL,
			      NULL);
}

/* Who one was outside, one is inside; nobody else is there. */
static int map_ids(uid_t uid, gid_t gid)
{
	char map[48];
	int r = io_write_value(AT_FDCWD, "/proc/self/setgroups", "deny");

	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (r == 0)
		r = io_write_value(AT_FDCWD, "/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return r < 0 ? r : io_write_value(AT_FDCWD, "/proc/self/gid_map", map);
}

/*
 * An exec takes the capabilities of whoever is not root in the namespace, but for the ambient ones:
 * CAP_SYS_ADMIN makes namespaces and mounts, CAP_SETPCAP lowers the bounding set.
 */
static int keep_caps(void)
{
	static const int kept[] = {CAP_SYS_ADMIN, CAP_SETPCAP};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		data[0].inheritable |= CAP_TO_MASK(kept[i]);
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0) < 0)
			return -errno;
	return 0;
}

int apart_begin(const struct apart *apart)
{
	int r;

	if (!apart->uid)
		return 0;
	r = map_ids(apart->uid, apart->gid);
	return r < 0 ? r : keep_caps();
}

/* --- a program that nobody else has put apart ---------------------------------------------------- */

static void end_as(int status)
{
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	/* Whoever waits for us is to read the same: no core of ours, whatever the child's was for. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

static void wait_for(pid_t child, const sigset_t *signals)
{
	int signo, status;

	for (;;) {
		signo = sigwaitinfo(signals, NULL);
		if (signo > 0 && signo != SIGCHLD)
			kill(child, signo);
		if (waitpid(child, &status, WNOHANG) == child)
			break;
	}
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	end_as(status);
}

static int begin_child(const struct apart *apart)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return apart->uid ? map_ids(apart->uid, apart->gid) : 0;
}

int apart_become(struct err *err)
{
	const struct apart apart = {geteuid(), getegid()};
	sigset_t signals, saved;
	pid_t child;
	int r;

	if (apart_is_first())
		return 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	if (unshare(flags(&apart)) < 0)
		return err_set_errno(err, errno, "cannot make a process namespace");
	sigprocmask(SIG_BLOCK, &signals, &saved);
	child = fork();
	if (child < 0)
		return err_set_errno(err, errno, "cannot fork");
	if (child > 0)
		wait_for(child, &signals);
	sigprocmask(SIG_SETMASK, &saved, NULL);
	r = begin_child(&apart);
	return r < 0 ? err_set_errno(err, -r, "cannot begin in a process namespace") : 0;
}
