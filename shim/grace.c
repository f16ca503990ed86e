/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: KVM has a kernel thread for each VM, which it moves into its owner's cgroup when
 * the VM is made and out of it when it ends. Who moves a process takes a lock over all forks of the
 * machine; the first who takes it after a while waits for a grace period of RCU, some 10 ms, and who
 * comes within the next one does not. So we take it ahead, on a thread, while there are other things to
 * do: we move ourselves to where we are.
 *
 * That is one write to the cgroup.procs of our own cgroup (v2). It fails where we are not root, or where
 * /sys/fs/cgroup is not what /proc/self/cgroup speaks of; then KVM waits, as it would have. Even to read
 * that file is the thread's: whoever moves a process has it locked meanwhile.
 */
#include "shim/grace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"

#define STACK 65536

/* The path of the line "0::PATH", into buf. */
static char *read_own_path(char *buf, size_t size)
{
	_cleanup_close_ int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	char *path, *end;

	if (n <= 0)
		return NULL;
	buf[n] = '\0';
	path = strncmp(buf, "0::", 3) == 0 ? buf : strstr(buf, "\n0::");
	path = path ? strchr(path, '/') : NULL;
	end = path ? strchr(path, '\n') : NULL;
	/* Above the root of a cgroup namespace is no place to move to. */
	if (!end || strstr(path, "/../"))
		return NULL;
	*end = '\0';
	return path;
}

static void *take_lock(void *data)
{
	_cleanup_close_ int root = open("/sys/fs/cgroup", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int dir = -1, fd = -1;
	char buf[PATH_MAX];
	const char *path = read_own_path(buf, sizeof(buf));

	if (root >= 0 && path)
		dir = path_open_in_root(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir >= 0)
		fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) < 0)
		return NULL; /* nobody counts on it */
	return NULL;
}

void grace_begin(void)
{
	sigset_t all, saved;
	pthread_attr_t attr;
	pthread_t thread;

	if (geteuid() != 0 || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pthread_create(&thread, &attr, take_lock, NULL);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
}
