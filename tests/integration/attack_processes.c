/* SPDX-License-Identifier: Apache-2.0 */
/* Other processes, and rights. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/integration/attack.h"

static pid_t other(void)
{
	return (pid_t)attack_number("SBX_ATTACK_PID");
}

static long signal_it(void)
{
	return attack_result(kill(other(), 0));
}

static long signal_all(void)
{
	return attack_result(kill(-1, 0));
}

static long trace(void)
{
	long r = ptrace(PTRACE_SEIZE, other(), NULL, NULL);

	if (r < 0)
		return -errno;
	ptrace(PTRACE_DETACH, other(), NULL, NULL);
	return 0;
}

static long read_memory(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {(void *)4096, 1};

	/* EFAULT: it was let in, and there is nothing at that address. */
	if (process_vm_readv(other(), &here, 1, &there, 1, 0) < 0 && errno != EFAULT)
		return -errno;
	return 0;
}

static long hold(void)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, other(), 0);

	return attack_result(fd);
}

static long slow_down(void)
{
	return attack_result(setpriority(PRIO_PROCESS, (id_t)other(), 10));
}

static long move_to_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return attack_result(sched_setaffinity(other(), sizeof(set), &set));
}

static long change_limit(void)
{
	struct rlimit limit = {64, 64};

	return attack_result(prlimit(other(), RLIMIT_CORE, &limit, NULL));
}

static long enter_namespace(void)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", other());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : attack_result(setns(fd, CLONE_NEWNET));
}

static long become_root(void)
{
	return attack_result(syscall(SYS_setresuid, 0, 0, 0));
}

static long become_another(void)
{
	/* Back at once: the next attempts are to be made by who we are. */
	if (syscall(SYS_setresuid, -1, 12345, -1) < 0)
		return -errno;
	return attack_result(syscall(SYS_setresuid, -1, 0, -1));
}

static long join_groups(void)
{
	const gid_t groups[] = {0, 6};

	return attack_result(syscall(SYS_setgroups, 2, groups));
}

static long raise_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{~0u, ~0u, 0}, {0x1ff, 0x1ff, 0}};

	return attack_result(syscall(SYS_capset, &header, data));
}

static long use_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	return data[0].permitted &
			       (1u << CAP_SYS_ADMIN | 1u << CAP_NET_ADMIN | 1u << CAP_SYS_PTRACE |
				1u << CAP_DAC_READ_SEARCH | 1u << CAP_MKNOD)
		       ? 0
		       : -EPERM;
}

static long become_dumpable(void)
{
	return attack_result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static long clear_no_new_privs(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}

static long user_namespace(void)
{
	return attack_result(unshare(CLONE_NEWUSER));
}

static long mount_namespace(void)
{
	return attack_result(unshare(CLONE_NEWNS));
}

static long network_namespace(void)
{
	return attack_result(unshare(CLONE_NEWNET));
}

static const struct attack list[] = {
	{"signal another process", signal_it, 0},
	{"signal all processes", signal_all, 0},
	{"trace another process", trace, 0},
	{"read another's memory", read_memory, 0},
	{"hold another process", hold, 0},
	{"slow another down", slow_down, 0},
	{"move another to a CPU", move_to_cpu, 0},
	{"change another's limits", change_limit, 0},
	{"become another user", become_another, ATTACK_OWNER},
	{"become root", become_root, ATTACK_OWNER},
	{"join groups", join_groups, ATTACK_OWNER},
	{"raise capabilities", raise_capabilities, 0},
	{"have an administrator's capability", use_admin, 0},
	{"gain rights by an exec", clear_no_new_privs, 0},
	{"become dumpable", become_dumpable, ATTACK_BY_LIST},
	{"make a user namespace", user_namespace, ATTACK_BY_LIST | ATTACK_BREAKS},
	{"make a mount namespace", mount_namespace, ATTACK_BREAKS},
	{"make a network namespace", network_namespace, ATTACK_BREAKS},
	{"enter another's network", enter_namespace, 0},
};

const struct attacks attack_processes = {list, ARRAY_SIZE(list)};
