/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the pod's pid namespace.
 *
 * A container that has no pid namespace of its own sees its neighbours, but must not see the agent. So
 * the first such container has the agent clone a process 1 for a namespace that they all join. It runs
 * the agent's own file again, as memory and descriptors of the agent are nothing for neighbours' eyes:
 * one with CAP_SYS_PTRACE can look into any process that it sees. For the same reason it changes to an
 * empty root and gives all rights away, and only then writes the eventfd that every helper waits for
 * before it joins. It lives as long as the guest. Its cgroup is one of the containers', small and the root of
 * its cgroup namespace: who enters that, or makes a puppet of it, has gained nothing.
 */
#include "agent/ns.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent/agent.h"
#include "agent/caps.h"
#include "agent/cgroup.h"
#include "agent/container.h"
#include "agent/fsmount.h"
#include "agent/mount.h"
#include "agent/plan.h"
#include "agent/rootfs.h"
#include "common/cleanup.h"
#include "common/opts.h"

#define READY_TIMEOUT_MS 10000

/* --- process 1 of the pod -------------------------------------------------------------------- */

/* An empty, read-only place for a root: nothing of the agent's stays in sight. */
static int leave_root(void)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int fd = -1, root = -1;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	r = fsmount_open(&fs, "tmpfs", NULL);
	if (r < 0)
		return r;
	fd = fsmount_create(&fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, NULL);
	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, ROOTFS_WORK, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	root = open(ROOTFS_WORK, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : mount_pivot(root, NULL);
}

void ns_run_pod_init(const char *ready_fd)
{
	const uint64_t one = 1;
	sigset_t signals;
	uint64_t fd;

	sigfillset(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	prctl(PR_SET_NAME, "pod");
	prctl(PR_SET_DUMPABLE, 0);
	if (parse_uint(ready_fd, &fd) < 0 || write((int)fd, &one, sizeof(one)) != sizeof(one))
		_exit(1);
	close_range(0, ~0u, 0);
	for (;;) {
		if (sigwaitinfo(&signals, NULL) != SIGCHLD)
			continue;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

/*
 * All that it has no use for goes before the exec: with binfmt_misc, which a container may have been given the right
 * to set, the kernel runs another program than it is told to.
 */
static void __attribute__((noreturn)) exec_pod_init(int ready_fd)
{
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	const struct caps none = {0};
	char number[16];
	char *const argv[] = {(char *)"sbx-agent", (char *)"pod", number, NULL};
	char *const envp[] = {NULL};

	snprintf(number, sizeof(number), "%d", ready_fd);
	if (self >= 0 && unshare(CLONE_NEWCGROUP) == 0 && leave_root() == 0 &&
	    caps_drop_bounding(0) == 0 && caps_apply(&none) == 0 &&
	    fcntl(ready_fd, F_SETFD, 0) == 0)
		execveat(self, "", argv, envp, AT_EMPTY_PATH);
	_exit(1);
}

static int make_pod_init(struct ns_pod *pod)
{
	_cleanup_close_ int cgroup = cgroup_open_pod();
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_PIDFD | CLONE_INTO_CGROUP,
		.cgroup = (uint64_t)cgroup,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (cgroup < 0)
		return cgroup;
	close_fd(&pod->pidfd);
	close_fd(&pod->ready_fd);
	pod->ready_fd = eventfd(0, EFD_CLOEXEC);
	if (pod->ready_fd < 0)
		return -errno;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (!pid)
		exec_pod_init(pod->ready_fd);
	pod->pidfd = pidfd;
	return 0;
}

/* --- joining --------------------------------------------------------------------------------- */

static int find_pod(struct agent *agent, struct ns_joins *joins, struct err *err)
{
	struct ns_pod *pod = &agent->pod;
	int r = 0;

	if (pod->pidfd < 0 || pidfd_send_signal(pod->pidfd, 0, NULL, 0) < 0)
		r = make_pod_init(pod);
	if (r < 0)
		return err_set_errno(err, -r, "the pod's pid namespace");
	joins->of[joins->n].flag = CLONE_NEWPID;
	joins->of[joins->n++].pidfd = pod->pidfd;
	joins->ready_fd = pod->ready_fd;
	return 0;
}

int ns_find_joins(struct agent *agent, const struct plan *plan, struct ns_joins *ret,
		  struct err *err)
{
	struct ns_joins joins = {.ready_fd = -1};
	int r = 0;

	for (size_t i = 0; i < plan->n_joins; i++) {
		struct container *container;

		r = container_find(agent, plan->joins[i].container_id, &container, err);
		if (r < 0)
			return err_wrap(err, "linux.namespaces");
		if (!container->init || container->init->pidfd < 0 ||
		    container->init->state == PROCESS_CREATING ||
		    container->init->state == PROCESS_EXITED)
			return err_set(err, EBUSY,
				       "linux.namespaces: container %s has no process to join",
				       container->id);
		joins.of[joins.n].flag = plan->joins[i].flag;
		joins.of[joins.n++].pidfd = container->init->pidfd;
	}
	if (plan->pod_pids)
		r = find_pod(agent, &joins, err);
	if (r >= 0)
		*ret = joins;
	return r;
}

int ns_join(const struct ns_joins *joins, struct err *err)
{
	struct pollfd ready = {.fd = joins->ready_fd, .events = POLLIN};

	if (joins->ready_fd >= 0 && poll(&ready, 1, READY_TIMEOUT_MS) != 1)
		return err_set(err, ETIMEDOUT, "the pod's process 1 does not come up");
	for (size_t i = 0; i < joins->n; i++)
		if (setns(joins->of[i].pidfd, (int)joins->of[i].flag) < 0)
			return err_set_errno(err, errno == ESRCH ? ENOENT : errno,
					     "linux.namespaces: joining another container's");
	return 0;
}
