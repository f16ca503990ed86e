/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation
 *
 * The stages, in an order in which none needs what an earlier one took:
 *
 *	processes     the first of a process namespace (apart.h): no other process has a number here
 *	namespaces    network, IPC, UTS, cgroup, mounts of its own: no interface but a dead loopback, no
 *	              abstract socket, no System V object, no cgroup above this one
 *	root          what struct jail says; the host's mounts are gone from the namespace
 *	ids           a uid that no other sandbox, user or service has
 *	user          a user namespace in which nobody has a number: no setuid(2) can succeed
 *	limits        no core file, no more descriptors than now
 *	capabilities  none, or those that struct jail keeps
 *	landlock      where the kernel has it: no file, no TCP, no abstract socket or signal to outside
 *	memory        not to be read or traced by others of the same uid
 *	core          no hardware thread shared with another sandbox, where the kernel can tell them apart
 *
 * An ordinary user has entered another user namespace with the first stage, as its only resident: that
 * is what gives the rights to the others.
 *
 * All but two must succeed. A kernel may lack landlock and core scheduling; and root may be forbidden a
 * user namespace, which then adds nothing to a uid without rights.
 *
 * A sanitizer's runtime reads /proc, traces the process's threads and writes its report into a
 * directory of whoever started the test: a build with one keeps its files and its uid.
 */
#include "vmm/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/apart.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "vmm/seccomp.h"

#ifdef SBX_SANITIZED
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* --- namespaces and root ------------------------------------------------------------------------- */

static int enter_namespaces(const struct jail *jail)
{
	const int flags =
		CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

	return !jail->bare && unshare(flags) < 0 ? -errno : 0;
}

/* A mount that is nowhere yet. Returns its descriptor. */
static int open_root(enum jail_root root)
{
	const char *what = root == JAIL_ROOT_HERE ? "." : "/proc/self/fd";
	_cleanup_close_ int fs = -1;
	int fd;

	if (root != JAIL_ROOT_EMPTY) {
		fd = open_tree(AT_FDCWD, what, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* The new root on the old one, then the two change places and the old one goes. */
static int enter_root(const struct jail *jail)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	_cleanup_close_ int fd = -1;

	if (jail->bare)
		return 0;
	/* What happens to the host's mounts and to ours is no business of the other's. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (SANITIZED)
		return mount("proc", "/proc", "proc", 0, NULL) < 0 ? -errno : 0;
	fd = open_root(jail->root);
	if (fd < 0)
		return fd;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
	    move_mount(fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(fd) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	if (jail->root == JAIL_ROOT_FDS)
		path_fds_at("");
	return 0;
}

/* --- who it is ------------------------------------------------------------------------------------ */

static int enter_ids(const struct jail *jail)
{
	if (SANITIZED || !jail->uid || geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(jail->uid, jail->uid, jail->uid) < 0 ||
	    setresuid(jail->uid, jail->uid, jail->uid) < 0)
		return -errno;
	return 0;
}

static int enter_user(const struct jail *jail)
{
	if (SANITIZED || !jail->nobody)
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		log_debug("jail: no user namespace: %s", strerror(errno));
	return 0;
}

/* --- what it may ---------------------------------------------------------------------------------- */

static int limit(int resource, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (limit.rlim_cur > most)
		limit.rlim_cur = most;
	limit.rlim_max = limit.rlim_cur;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int enter_limits(const struct jail *jail)
{
	int r = limit(RLIMIT_CORE, 0);

	if (r == 0)
		r = limit(RLIMIT_MSGQUEUE, 0);
	return r < 0 ? r : limit(RLIMIT_NOFILE, RLIM_INFINITY);
}

/* Of what is held, the kept ones: no exec gives one back (no_new_privs, and the bounding set). */
static int enter_capabilities(const struct jail *jail)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (SANITIZED)
		return 0;
	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int cap = 0; data[0].effective & CAP_TO_MASK(CAP_SETPCAP); cap++)
		if (!(cap < 64 && jail->caps >> cap & 1) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break; /* the kernel knows no more */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		data[i].permitted &= (uint32_t)(jail->caps >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

/* What a kernel of this version of landlock can deny. */
static struct landlock_ruleset_attr everything(long abi, bool files)
{
	struct landlock_ruleset_attr attr = {0};

	if (files)
		attr.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	if (files && abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (files && abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (files && abi >= 5)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= 4)
		attr.handled_access_net =
			LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
	if (abi >= 6)
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	return attr;
}

static int enter_landlock(const struct jail *jail)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	const struct landlock_ruleset_attr attr = everything(abi, jail->no_files);
	_cleanup_close_ int fd = -1;

	if (SANITIZED || abi < 1 || (!attr.handled_access_fs && !attr.handled_access_net))
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	return 0;
}

static int enter_memory(const struct jail *jail)
{
	if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	/* A change of ids has cleared it. An owner that died meanwhile has closed its socket, too. */
	return jail->owned && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

static int enter_core(const struct jail *jail)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PR_SCHED_CORE_SCOPE_THREAD_GROUP, 0) < 0)
		log_debug("jail: no core scheduling: %s", strerror(errno));
	return 0;
}

static const struct {
	const char *name;
	int (*enter)(const struct jail *jail);
} stages[] = {
	{"namespaces", enter_namespaces},
	{"root", enter_root},
	{"ids", enter_ids},
	{"user", enter_user},
	{"limits", enter_limits},
	{"capabilities", enter_capabilities},
	{"landlock", enter_landlock},
	{"memory", enter_memory},
	{"core", enter_core},
};

int jail_drop_capabilities(void)
{
	return enter_capabilities(&(struct jail){0});
}

int jail_begin(bool bare, struct err *err)
{
	/* What the C library would look up later: a second heap asks for the CPUs, a date for the zone. */
	mallopt(M_ARENA_MAX, 1);
	tzset();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set_errno(err, errno, "jail: no_new_privs");
	return bare ? 0 : apart_become(err);
}

int jail_enter(const struct jail *jail, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		int r = stages[i].enter(jail);

		if (r < 0)
			return err_set_errno(err, -r, "jail: %s", stages[i].name);
	}
	seccomp_arm();
	return 0;
}
