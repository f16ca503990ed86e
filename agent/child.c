/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: from clone to exec.
 *
 *	agent --clone--> helper, in a mount namespace of its own
 *	                 mounts the root file system (may wait for a disk)
 *	                 --clone--> init: parent is the agent, in the container's cgroup and namespaces
 *	                 writes init's id maps, reports CHILD, lets init go on, exits
 *	init: runs the plan's operations, changes its root, reports READY, waits for the byte,
 *	      runs the startContainer hooks, becomes the user, execs; or stays what it is and has a
 *	      child do that (init.c)
 *
 * The helper is needed because a disk cannot be mounted from inside a user namespace, and because
 * it may wait where the agent must not. An exec's helper joins the namespaces and clones likewise
 * (join.c), as a pid namespace is entered by children only.
 *
 * Both are forks of the agent: they hold copies of its memory and descriptors. The first thing
 * each does is to close all but what it needs; they are not dumpable (main.c), so that nothing in
 * the container can look into them before exec. The agent's other threads use no heap and no locks
 * (relay.c), so everything that is safe in a process is safe here.
 */
#include "agent/child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/device.h"
#include "agent/fsmount.h"
#include "agent/hooks.h"
#include "agent/idmap.h"
#include "agent/init.h"
#include "agent/mount.h"
#include "agent/program.h"
#include "agent/report.h"
#include "agent/rootfs.h"
#include "agent/share.h"
#include "agent/user.h"
#include "common/cleanup.h"
#include "common/io.h"

static pid_t sys_clone3(struct clone_args *args)
{
	pid_t pid = (pid_t)syscall(SYS_clone3, args, sizeof(*args));

	return pid < 0 ? -errno : pid;
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void child_close_all_but(int *keep, size_t n)
{
	unsigned int from = 3;

	qsort(keep, n, sizeof(*keep), compare_fds);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	close_range(from, ~0u, 0);
}

static void reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int signo = 1; signo < _NSIG; signo++)
		sigaction(signo, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

pid_t child_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	struct clone_args args = {
		/* CLONE_PARENT: the agent, not the helper, is told when it dies. */
		.flags = flags | CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uintptr_t)ret_pidfd,
	};

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	return sys_clone3(&args);
}

void child_announce(const struct child_args *args, pid_t pid, int pidfd, int sync_fd)
{
	struct report report = {.kind = REPORT_CHILD, .pid = pid};
	char go = REPORT_GO;

	/* Before the byte, so that CHILD comes before all that the child reports itself. */
	if (report_send(args->report_fd, &report, pidfd) < 0 ||
	    send(sync_fd, &go, 1, MSG_NOSIGNAL) != 1)
		kill(pid, SIGKILL);
}

int child_become_root(const struct child_args *args, struct err *err)
{
	uid_t uid = args->root_uid < 0 ? args->process->uid : 0;
	gid_t gid = args->root_gid < 0 ? args->process->gid : 0;

	return user_become(uid, gid, NULL, 0, err);
}

static int map_ids(pid_t pid, const struct plan *plan, struct err *err)
{
	return plan->namespaces & CLONE_NEWUSER ? idmap_write(pid, &plan->idmaps, err) : 0;
}

/* Puts the detached rootfs where it can be reached, as a mount of this namespace. */
static int attach_root(int rootfs_fd, struct err *err)
{
	int fd;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set_errno(err, errno, "making all mounts private");
	if (move_mount(rootfs_fd, "", AT_FDCWD, ROOTFS_WORK, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set_errno(err, errno, "placing the root file system");
	fd = open(ROOTFS_WORK, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "opening the root file system") : fd;
}

static int build(const struct child_args *args, int rootfs_fd, int *ret_root, int *ret_tty,
		 struct err *err)
{
	const struct plan *plan = args->plan;
	_cleanup_close_ int root = -1, tty = -1;
	int r;

	if ((plan->namespaces & CLONE_NEWUSER) && (r = child_become_root(args, err)) < 0)
		return r;
	/* Only now: a cgroup namespace's root is where its creator is, and clone3() enters late. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_set_errno(err, errno, "cgroup namespace");
	root = attach_root(rootfs_fd, err);
	if (root < 0)
		return root;
	/* Modes of what is made are the plan's, not the agent's taste. */
	umask(0);
	r = mount_execute(plan, root, err);
	if (r < 0)
		return r;
	if (args->process->terminal) {
		tty = child_open_terminal(args, root, err);
		if (tty < 0)
			return tty;
		r = mount_over_file(root, "/dev/console", tty);
		if (r < 0)
			return err_set_errno(err, -r, "/dev/console");
	}
	r = mount_pivot(root, err);
	if (r >= 0)
		r = mount_finish(plan, root, err);
	/* What hooks make is for the host's eyes at times. */
	umask(022);
	if (r >= 0)
		r = hooks_run(&plan->create_hooks, "createContainer", "creating", NULL, err);
	if (r < 0)
		return r;
	*ret_root = TAKE_FD(root);
	*ret_tty = TAKE_FD(tty);
	return 0;
}

static void __attribute__((noreturn))
run_init(const struct child_args *args, int rootfs_fd, int sync_fd)
{
	struct report ready = {.kind = REPORT_READY};
	struct err err = ERR_INIT;
	int root = -1, tty = -1;
	int keep[] = {args->report_fd, rootfs_fd,      sync_fd,
		      args->stdio[0],  args->stdio[1], args->stdio[2]};

	/* The container's names are looked up from here on, /proc/self/fd/N among them. */
	child_close_all_but(keep, ARRAY_SIZE(keep));
	if (report_wait_go(sync_fd) < 0)
		_exit(EXIT_SETUP);
	close(sync_fd);
	setsid();
	if (build(args, rootfs_fd, &root, &tty, &err) < 0 ||
	    (args->find_program && program_find(args->process, &err) < 0))
		report_fail(args->report_fd, &err, EXIT_SETUP);
	close(rootfs_fd);
	if (report_send(args->report_fd, &ready, -1) < 0 || report_wait_go(args->report_fd) < 0)
		_exit(EXIT_SETUP);
	if (args->plan->init)
		init_run(args, root, tty);
	child_become(args, root, tty);
}

/*
 * Offsets are set before anybody is in the namespace: so it is not made by the clone, but one that the
 * next child enters.
 */
static int make_time_namespace(const struct plan *plan, struct err *err)
{
	if (!(plan->namespaces & CLONE_NEWTIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_set_errno(err, errno, "time namespace");
	for (size_t i = 0; i < plan->n_time_offsets; i++) {
		const struct plan_time_offset *offset = &plan->time_offsets[i];
		char text[80];
		int r;

		snprintf(text, sizeof(text), "%s %" PRId64 " %u", offset->clock, offset->secs,
			 offset->nanosecs);
		r = io_write_value(AT_FDCWD, "/proc/self/timens_offsets", text);
		if (r < 0)
			return err_set_errno(err, -r, "linux.timeOffsets.%s", offset->clock);
	}
	return 0;
}

/* A proc shows the processes of who mounts it: a child is in the namespace that has been joined. */
static void prepare_joined(const struct child_args *args)
{
	struct err err = ERR_INIT;
	int status = 0;
	pid_t pid;

	if (!mount_awaits_join(args->plan))
		return;
	pid = fork();
	if (pid < 0) {
		err_set_errno(&err, errno, "forking");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (!pid) {
		if (mount_prepare(args->plan, true, &err) < 0)
			report_fail(args->report_fd, &err, EXIT_SETUP);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		_exit(EXIT_SETUP);
}

/* The helper of a container. */
static void __attribute__((noreturn)) run_helper(const struct child_args *args)
{
	uint64_t flags = args->plan->namespaces & ~(uint64_t)(CLONE_NEWCGROUP | CLONE_NEWTIME);
	struct err err = ERR_INIT;
	int rootfs_fd, pidfd = -1, sync[2];
	pid_t pid;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		err_set_errno(&err, errno, "mount namespace");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if ((args->plan->shares || args->rootfs->share[0]) && share_mount(&err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	rootfs_fd = rootfs_mount(args->rootfs, &err);
	if (rootfs_fd < 0 || device_prepare(args->plan, args->rootfs->share[0], &err) < 0 ||
	    mount_prepare(args->plan, false, &err) < 0 ||
	    make_time_namespace(args->plan, &err) < 0 || ns_join(&args->joins, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	prepare_joined(args);
	if (args->resolv_conf && rootfs_write_resolv_conf(rootfs_fd, args->resolv_conf, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sync) < 0) {
		err_set_errno(&err, errno, "socket pair");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	pid = child_clone(flags, args->cgroup_fd, &pidfd);
	if (pid < 0) {
		err_set_errno(&err, -pid, "cloning the container's init");
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	if (!pid) {
		close(sync[0]);
		run_init(args, rootfs_fd, sync[1]);
	}
	close(sync[1]);
	if (map_ids(pid, args->plan, &err) < 0) {
		kill(pid, SIGKILL);
		report_fail(args->report_fd, &err, EXIT_SETUP);
	}
	child_announce(args, pid, pidfd, sync[0]);
	_exit(0);
}

/* Written here, where /proc is still the agent's; the process proper inherits it. */
static void set_oom_score(int adj)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", adj);
	io_write_value(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

/* Root of the container's user namespace may then give them to the user (become.c). */
static void give_streams(const struct child_args *args)
{
	for (int i = 0; i < 3; i++) {
		if (args->stdio[i] >= 0 && args->root_uid >= 0 && args->root_gid >= 0)
			(void)!fchown(args->stdio[i], (uid_t)args->root_uid, (gid_t)args->root_gid);
	}
}

/*
 * The agent's own many descriptors are no measure for programs: what Debian's systemd gives them. Nor is
 * the memory that the kernel booted with, of which it makes the limit to processes: the cgroup has one. A hard
 * limit that is asked for may be higher than this, and nobody in a user namespace could raise it later.
 */
static void reset_limits(const struct process_plan *process)
{
	struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288};
	struct rlimit unlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &unlimited);
	for (size_t i = 0; i < process->n_rlimits; i++) {
		__rlimit_resource_t resource = (__rlimit_resource_t)process->rlimits[i].resource;
		struct rlimit limit;

		if (getrlimit(resource, &limit) < 0 ||
		    limit.rlim_max >= process->rlimits[i].limit.rlim_max)
			continue;
		limit.rlim_max = process->rlimits[i].limit.rlim_max;
		/* Where not even we may, become() says so. */
		setrlimit(resource, &limit);
	}
}

pid_t child_spawn(const struct child_args *args, int *ret_pidfd)
{
	struct clone_args clone = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	struct err err = ERR_INIT;
	int keep[7 + NS_MAX_JOINS] = {args->report_fd,
				      args->cgroup_fd,
				      args->init_pidfd,
				      args->stdio[0],
				      args->stdio[1],
				      args->stdio[2],
				      args->plan ? args->joins.ready_fd : -1};
	size_t n_keep = 7;
	pid_t pid;

	/* An exec's helper starts in the container's cgroup: inside the namespaces it could not. */
	if (!args->plan) {
		clone.flags |= CLONE_INTO_CGROUP;
		clone.cgroup = (uint64_t)args->cgroup_fd;
	}
	pid = sys_clone3(&clone);
	if (pid)
		return pid;
	for (size_t i = 0; i < args->joins.n; i++)
		keep[n_keep++] = args->joins.of[i].pidfd;
	child_close_all_but(keep, n_keep);
	reset_signals();
	reset_limits(args->process);
	give_streams(args);
	set_oom_score(args->process->oom_score_adj);
	if (args->plan)
		run_helper(args);
	if (tune_apply_initial(&args->process->tune, &err) < 0)
		report_fail(args->report_fd, &err, EXIT_SETUP);
	child_join(args);
}
