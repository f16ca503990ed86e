/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the last steps before exec. No descriptor of the agent's is open any more but the
 * one that failures are told by. Then, in the order that rights allow: limits and
 * working directory as root, then the bounding set (needs CAP_SETPCAP), groups and ids, then the
 * remaining capability sets, no_new_privs last, as nothing may be gained after it. The program is
 * looked up as the user, inside the container, as the user's own shell would.
 *
 * The seccomp filter comes as late as it may: after no_new_privs, so that it has to allow execve(2)
 * alone; without that, loading wants CAP_SYS_ADMIN, so the last sets are taken under the filter.
 *
 * A startContainer hook is to run as the process would, filter and all. It is a fork that goes through
 * the same steps and execs the hook; who waits for it has all its rights still, so that no filter has to
 * allow what the waiting needs.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "agent/child.h"
#include "agent/hooks.h"
#include "agent/program.h"
#include "agent/report.h"
#include "agent/user.h"
#include "common/cleanup.h"
#include "common/path.h"

#define DEVPTS_SUPER_MAGIC 0x1cd1

static bool is_char_device(int fd, unsigned int major_no, unsigned int minor_no)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(major_no, minor_no);
}

/*
 * The container may have put anything at this name. O_PATH opens nothing yet; once it is known to
 * be the multiplexer of a devpts, it is opened through the descriptor.
 */
static int open_ptmx(int root_fd)
{
	_cleanup_close_ int path_fd = -1;
	struct statfs fs;

	path_fd = path_open_in_root(root_fd, "/dev/pts/ptmx", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (path_fd < 0)
		return path_fd;
	if (fstatfs(path_fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC ||
	    !is_char_device(path_fd, 5, 2))
		return -ENODEV;
	close_fd(&path_fd);
	path_fd = path_open_in_root(root_fd, "/dev/pts/ptmx",
				    O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (path_fd < 0)
		return path_fd;
	/* And again, as the name may have been exchanged in between. */
	if (fstatfs(path_fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC ||
	    !is_char_device(path_fd, 5, 2))
		return -ENODEV;
	return TAKE_FD(path_fd);
}

/* A failure is no harm. */
static void clear_onlcr(int tty)
{
	struct termios mode;

	if (tcgetattr(tty, &mode) < 0)
		return;
	mode.c_oflag &= ~(tcflag_t)ONLCR;
	tcsetattr(tty, TCSANOW, &mode);
}

int child_open_terminal(const struct child_args *args, int root_fd, struct err *err)
{
	struct winsize size = {.ws_row = args->process->rows, .ws_col = args->process->columns};
	struct report report = {.kind = REPORT_TERMINAL};
	_cleanup_close_ int master = -1;
	int unlock = 0, slave, r;

	master = open_ptmx(root_fd);
	if (master < 0)
		return err_set_errno(err, -master,
				     "terminal: the container has no usable /dev/pts");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_set_errno(err, errno, "terminal: unlocking");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_set_errno(err, errno, "terminal: opening");
	if (size.ws_row || size.ws_col)
		ioctl(master, TIOCSWINSZ, &size);
	if (args->clear_onlcr)
		clear_onlcr(slave);
	r = report_send(args->report_fd, &report, master);
	if (r < 0) {
		close(slave);
		return err_set_errno(err, -r, "terminal: handing over");
	}
	return slave;
}

static int open_null(int root_fd)
{
	_cleanup_close_ int fd = -1;

	fd = path_open_in_root(root_fd, "/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	if (!is_char_device(fd, 1, 3))
		return -ENODEV;
	close_fd(&fd);
	fd = path_open_in_root(root_fd, "/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			       0);
	if (fd >= 0 && !is_char_device(fd, 1, 3))
		return -ENODEV;
	return TAKE_FD(fd);
}

/* A container's cgroup may forbid to make one. */
static bool own_null(const struct child_args *args)
{
	return !args->plan && args->null_fd >= 0;
}

/* Puts the streams onto 0, 1 and 2, and lets the user reopen them by /dev/stdout and the like. */
static int set_stdio(const struct child_args *args, int root_fd, int tty_fd, uint32_t uid,
		     struct err *err)
{
	_cleanup_close_ int null = -1;

	if (tty_fd >= 0 && ioctl(tty_fd, TIOCSCTTY, 0) < 0)
		return err_set_errno(err, errno, "terminal: making it the controlling one");
	for (int i = 0; i < 3; i++) {
		int fd = tty_fd >= 0 ? tty_fd : args->stdio[i];

		if (fd < 0) {
			if (null < 0)
				null = own_null(args) ? args->null_fd : open_null(root_fd);
			if (null < 0)
				return err_set_errno(err, -null, "the container's /dev/null");
			fd = null;
		} else {
			/* A user namespace without a root has nobody to do this. */
			if (fchown(fd, uid, (gid_t)-1) < 0 && errno != EINVAL && errno != EPERM)
				return err_set_errno(err, errno, "stream %d", i);
		}
		if (dup2(fd, i) < 0)
			return err_set_errno(err, errno, "stream %d", i);
	}
	if (tty_fd > 2)
		close(tty_fd);
	return 0;
}

/* As root first: docker and runc let a process start in a directory that it could not enter. */
static int enter_cwd(const char *path, struct err *err)
{
	char check[PATH_MAX];

	if (chdir(path) < 0)
		return err_set_errno(err, errno, "working directory %.256s", path);
	/* "(unreachable)": a directory outside the root, from where ".." would lead to the agent. */
	if (!getcwd(check, sizeof(check)) || check[0] != '/')
		return err_set(err, EINVAL, "working directory %.256s lies outside the root", path);
	return 0;
}

static int load_privileged(const struct seccomp *seccomp, struct err *err)
{
	int r = caps_raise(CAP_SYS_ADMIN);

	if (r >= 0)
		r = seccomp_load(seccomp);
	return r < 0 ? err_set_errno(err, -r, "loading the seccomp filter") : 0;
}

/*
 * The user's own from here on, as new as the process: whatever keys lie in the agent's are not the
 * container's to see.
 */
static int join_keyring(struct err *err)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return err_set_errno(err, errno, "a session keyring");
	return 0;
}

static int become_user(const struct passwd_user *user, struct err *err)
{
	int r = user_become(user->uid, user->gid, user->groups, user->n_groups, err);

	return r < 0 ? r : join_keyring(err);
}

static int drop_rights(const struct child_args *args, const struct passwd_user *user,
		       struct err *err)
{
	const struct process_plan *process = args->process;
	bool early = args->seccomp->n && !process->no_new_privs;
	int r;

	r = caps_drop_bounding(process->caps.bounding);
	if (r < 0)
		return err_set_errno(err, -r, "bounding capabilities");
	/* Those that the process shall not have, caps_apply() takes. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "keeping capabilities");
	r = become_user(user, err);
	if (r >= 0 && early)
		r = load_privileged(args->seccomp, err);
	if (r < 0)
		return r;
	r = caps_apply(&process->caps);
	if (r < 0)
		return err_set_errno(err, -r, "capabilities");
	/* execve(2) itself clears PR_SET_KEEPCAPS. */
	if (process->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "no_new_privs");
	if (args->seccomp->n && !early) {
		r = seccomp_load(args->seccomp);
		if (r < 0)
			return err_set_errno(err, -r, "loading the seccomp filter");
	}
	return 0;
}

/* In place of an empty HOME, or in the slot that the plan left free at the end. */
static void set_home(const struct process_plan *process, char *home)
{
	size_t i = 0;

	while (i < process->n_env && strncmp(process->envp[i], "HOME=", 5) != 0)
		i++;
	process->envp[i] = home;
}

struct becoming {
	const struct child_args *args;
	struct passwd_user user;
};

/* From all rights to those of the process. */
static int become(const void *data, struct err *err)
{
	const struct becoming *becoming = data;
	const struct child_args *args = becoming->args;
	const struct process_plan *process = args->process;
	int r;

	for (size_t i = 0; i < process->n_rlimits; i++) {
		if (setrlimit((__rlimit_resource_t)process->rlimits[i].resource,
			      &process->rlimits[i].limit) < 0)
			return err_set_errno(err, errno, "rlimit %d", process->rlimits[i].resource);
	}
	r = enter_cwd(process->cwd, err);
	if (r < 0)
		return r;
	umask(process->umask);
	r = tune_apply(&process->tune, args->personality, err);
	if (r < 0)
		return r;
	return drop_rights(args, &becoming->user, err);
}

/* Each as the process will be; of an exec there are none. */
static int run_start_hooks(const struct becoming *becoming, struct err *err)
{
	const struct child_args *args = becoming->args;
	const struct hook_process as = {
		.envp = args->process->envp,
		.uid = becoming->user.uid,
		.become = become,
		.data = becoming,
	};

	if (!args->plan)
		return 0;
	return hooks_run(&args->plan->start_hooks, "startContainer", "created", &as, err);
}

void child_become(const struct child_args *args, int root_fd, int tty_fd)
{
	const struct process_plan *process = args->process;
	struct becoming becoming = {.args = args};
	char home[sizeof(becoming.user.home) + 8];
	struct err err = ERR_INIT;
	int code, status;

	if (user_lookup(process, root_fd, &becoming.user, &err) < 0 ||
	    set_stdio(args, root_fd, tty_fd, becoming.user.uid, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_NOT_RUNNABLE);
	/*
	 * Not by their flag alone: execve(2) looks the program up before it heeds that, and a name of the container's
	 * may lead through /proc/self/fd to a directory of the agent's.
	 */
	child_close_all_but((int[]){args->report_fd}, 1);
	snprintf(home, sizeof(home), "HOME=%s", becoming.user.home);
	if (!process->has_home)
		set_home(process, home);
	if (run_start_hooks(&becoming, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	if (become(&becoming, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_NOT_RUNNABLE);
	code = program_exec(process);
	status = code == ENOENT || code == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
	program_err(&err, process, code,
		    status == EXIT_NOT_FOUND ? " (exit status 127)" : " (exit status 126)");
	report_fail(args->report_fd, &err, status);
}
