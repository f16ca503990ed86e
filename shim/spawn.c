/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/apart.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "shim/oom_score.h"

#define ENVIRONMENT_MAX 32

/* Each out of the others' way first: any of them may have a number that another is to get. */
static int pass_fds(const struct spawn *spawn)
{
	const int above = 3 + SPAWN_MAX_PASS;
	int away[SPAWN_MAX_PASS];

	if (spawn->n_pass > SPAWN_MAX_PASS)
		return -EINVAL;
	for (size_t i = 0; i < spawn->n_pass; i++) {
		away[i] = fcntl(spawn->pass[i], F_DUPFD_CLOEXEC, above);
		if (away[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < spawn->n_pass; i++)
		if (dup2(away[i], 3 + (int)i) < 0)
			return -errno;
	return 0;
}

/* Of ours: where sbx is told to have its places, and what sanitizers are told by tests. */
static char *const *environment_apart(char *kept[ENVIRONMENT_MAX])
{
	static const char *const prefixes[] = {"SBX_",
					       "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
	size_t n = 0;

	for (char **entry = environ; *entry && n < ENVIRONMENT_MAX - 1; entry++)
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
			if (strncmp(*entry, prefixes[i], strlen(prefixes[i])) == 0) {
				kept[n++] = *entry;
				break;
			}
	kept[n] = NULL;
	return kept;
}

/* Between fork and exec. Returns -errno; the success does not return. */
static int run_child(const struct spawn *spawn, const struct apart *apart, pid_t parent)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *const *envp = spawn->envp ? (char *const *)spawn->envp : environ;
	char *kept[ENVIRONMENT_MAX];
	sigset_t none;
	int r;

	/* The event loop's signals are blocked, others ignored; both would be inherited. */
	sigemptyset(&none);
	io_restore_signals();
	if (null_fd < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -errno;
	/* While /proc/self is ours to write to. A lower one than ours is not for an ordinary user. */
	if (spawn->oom_score)
		oom_score_write(0, *spawn->oom_score);
	if (spawn->no_net)
		(void)unshare(CLONE_NEWNET);
	if (spawn->apart) {
		r = apart_begin(apart);
		if (r < 0)
			return r;
	}
	if (spawn->die_with_us) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			return -errno;
		/*
		 * The parent may have died before the call above. Who is apart sees none; it has a
		 * socket of ours, whose end it does see.
		 */
		if (!spawn->apart && getppid() != parent)
			return -ESRCH;
	}
	if (dup2(spawn->in_fd > 0 ? spawn->in_fd : null_fd, 0) < 0 ||
	    dup2(spawn->out_fd < 0 ? null_fd : spawn->out_fd, 1) < 0 ||
	    dup2(spawn->err_fd < 0 ? null_fd : spawn->err_fd, 2) < 0)
		return -errno;
	/* What our own caller left open by mistake, a daemon would hold for its life. */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	for (size_t i = 0; i < spawn->n_fds; i++)
		if (fcntl(spawn->fds[i], F_SETFD, 0) < 0)
			return -errno;
	r = pass_fds(spawn);
	if (r < 0)
		return r;
	if (spawn->umask)
		umask(spawn->umask);
	if (spawn->cwd && chdir(spawn->cwd) < 0 && errno != ENOENT)
		return -errno;
	if (spawn->apart && !spawn->envp)
		envp = environment_apart(kept);
	execve(spawn->path ? spawn->path : spawn->argv[0], (char *const *)spawn->argv, envp);
	return -errno;
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, int *ret_pidfd, struct err *err)
{
	_cleanup_close_ int report = -1, report_w = -1;
	_cleanup_close_ int pidfd = -1;
	pid_t parent = getpid(), pid;
	struct apart apart;
	int pipefd[2], r;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_set_errno(err, errno, "cannot make a pipe");
	report = pipefd[0];
	report_w = pipefd[1];
	pid = spawn->apart ? apart_fork(&apart) : fork();
	if (pid < 0)
		return err_set_errno(err, errno, "cannot %s",
				     spawn->apart ? "make a process namespace" : "fork");
	if (pid == 0) {
		if (spawn->n_pass)
			report_w = fcntl(report_w, F_DUPFD_CLOEXEC, 3 + SPAWN_MAX_PASS);
		r = run_child(spawn, &apart, parent);
		_exit(io_write_full(report_w, &r, sizeof(r)) < 0 ? 126 : 127);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = pidfd < 0 ? -errno : 0;
	close_fd(&report_w);
	/* The exec closes the pipe; what comes before that end is its errno. */
	if (r == 0 && io_read_full(report, &r, sizeof(r)) < 0)
		r = 0;
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err_set_errno(err, -r, "%s: cannot start",
				     spawn->path ? spawn->path : spawn->argv[0]);
	}
	*ret_pid = pid;
	*ret_pidfd = TAKE_FD(pidfd);
	return 0;
}

int spawn_reap(int pidfd, char *how, size_t size)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		return -errno;
	if (info.si_code == CLD_EXITED)
		snprintf(how, size, "ended with code %d", info.si_status);
	else
		snprintf(how, size, "was killed by signal %d (%s)", info.si_status,
			 strsignal(info.si_status));
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
