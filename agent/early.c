/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the kernel starts us on its rootfs, which can be neither moved nor
 * unmounted, so no process on it can change its root with pivot_root(2). A tmpfs goes over it and
 * becomes "/": from then on the agent and every container's first process stand on an ordinary
 * mount. It holds mount points and nothing else:
 *
 *	/proc /sys /sys/fs/cgroup /dev	the kernel's
 *	/run/rootfs /run/devices	where containers are put together (rootfs.h)
 *	/run/share			where the host's folders are while they are (share.h)
 *	/run/memory			the pod's own, in memory (volume.h)
 */
#include "agent/early.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/rootfs.h"
#include "agent/share.h"
#include "agent/volume.h"
#include "common/cleanup.h"
#include "common/io.h"

#define CONSOLE_LEVEL        4 /* errors */
#define SYSLOG_CONSOLE_LEVEL 8 /* syslog(2) */

#define KERNEL_FS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct {
	const char *type, *target, *options;
	unsigned long flags;
} mounts[] = {
	{"proc", "/proc", NULL, KERNEL_FS},
	{"sysfs", "/sys", NULL, KERNEL_FS},
	{"devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC},
	/*
	 * nsdelegate: a container may not lift the limits of its own cgroup namespace's root, nor go round it
	 * (guest-kernel-config/cgroup-namespace.patch).
	 */
	{"cgroup2", "/sys/fs/cgroup", "nsdelegate,memory_recursiveprot", KERNEL_FS},
	{"tmpfs", "/run", "mode=0755,size=1m", MS_NOSUID | MS_NODEV},
};

/*
 * What the kernel counts for the guest as a whole, or for a user, who in the guest's own user namespace is the
 * agent's too: a container that has all of it would keep the agent and its neighbours from theirs. Its
 * cgroup's memory is the bound of what most of these take; terminals, which it does not pay for, stay counted.
 */
static const struct {
	const char *file, *value;
} counts[] = {
	{"fs/epoll/max_user_watches", "9223372036854775807"},
	{"fs/inotify/max_user_instances", "2147483647"},
	{"fs/file-max", "9223372036854775807"},
	{"fs/aio-max-nr", "2147483647"}, /* there are programs that take it for an int */
	{"kernel/pid_max", "4194304"},
	{"user/max_cgroup_namespaces", "2147483647"},
	{"user/max_ipc_namespaces", "2147483647"},
	{"user/max_mnt_namespaces", "2147483647"},
	{"user/max_net_namespaces", "2147483647"},
	{"user/max_pid_namespaces", "2147483647"},
	{"user/max_time_namespaces", "2147483647"},
	{"user/max_user_namespaces", "2147483647"},
	{"user/max_uts_namespaces", "2147483647"},
	/* No cgroup pays for keys. */
	{"kernel/keys/root_maxkeys", "10000"},
	{"kernel/keys/root_maxbytes", "4194304"},
};

static void raise_counts(void)
{
	_cleanup_close_ int dir = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		io_write_value(dir, counts[i].file, counts[i].value);
}

/* The kernel was quieter until now, unless somebody asked for more. */
static void raise_console_level(void)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/printk", 64, &text, &size) == 0 &&
	    atoi(text) < CONSOLE_LEVEL)
		klogctl(SYSLOG_CONSOLE_LEVEL, NULL, CONSOLE_LEVEL);
}

static int make_root(struct err *err)
{
	static const char *const dirs[] = {"proc", "sys", "dev", "run"};

	if ((mkdir("/root", 0755) < 0 && errno != EEXIST) ||
	    mount("root", "/root", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0 ||
	    chdir("/root") < 0)
		return err_set_errno(err, errno, "mounting the agent's root");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (mkdir(dirs[i], 0755) < 0)
			return err_set_errno(err, errno, "/%s", dirs[i]);
	}
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_set_errno(err, errno, "changing to the agent's root");
	return 0;
}

int early_mounts(struct err *err)
{
	int r = make_root(err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			  mounts[i].options) < 0)
			return err_set_errno(err, errno, "mounting %s", mounts[i].target);
	}
	if (mkdir(ROOTFS_WORK, 0755) < 0 || mkdir(DEVICES_WORK, 0755) < 0)
		return err_set_errno(err, errno, "%s", ROOTFS_WORK);
	if (mkdir(SHARE_WORK, 0700) < 0)
		return err_set_errno(err, errno, "%s", SHARE_WORK);
	if (mkdir(VOLUME_WORK, 0700) < 0)
		return err_set_errno(err, errno, "%s", VOLUME_WORK);
	/*
	 * Cgroups, namespaces and interfaces wait for all the kernel's readers, each time some ticks
	 * long: 10 ms of the boot and 3 of each container's start. Expedited, it interrupts the CPUs
	 * instead, of which a VM has few.
	 */
	io_write_value(AT_FDCWD, "/sys/kernel/rcu_expedited", "1");
	raise_counts();
	raise_console_level();
	return 0;
}

int early_harden(struct err *err)
{
	/* A connection and a pipe for each stream of each process, and some for each process. */
	struct rlimit files = {.rlim_cur = 524288, .rlim_max = 524288};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int r;

	umask(022);
	/* The end of a stream is an error code where it is written. */
	sigaction(SIGPIPE, &ignore, NULL);
	/* Children inherit it until they exec: a container cannot trace or open them. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_set_errno(err, errno, "preparing the agent's process");
	r = io_write_value(AT_FDCWD, "/proc/self/oom_score_adj", "-1000");
	return r < 0 ? err_set_errno(err, -r, "oom_score_adj") : 0;
}

void early_power_off(void)
{
	kill(-1, SIGKILL);
	sync();
	/* A VM has no power to switch off; the monitor takes a reset as the end. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}
