/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: on a v2 host there is one hierarchy, at /sys/fs/cgroup itself; else each
 * directory there is one, a hybrid host's "unified" among them. The group is made in all of them. A
 * v1 hierarchy may not take the process (cpuset, until it is told which CPUs); what counts is that
 * one did. No controller is enabled and no limit written: that is for whoever made the parent.
 */
#include "shim/host_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "common/path.h"

#define ROOT         "/sys/fs/cgroup"
#define REMOVE_TRIES 100 /* 10 ms each: an emptied group stays busy for a moment */

/* a-b.slice lies beneath a.slice; "-.slice" is the root. */
static int add_slices(const char *slice, size_t n, char ret[PATH_MAX], struct err *err)
{
	static const char suffix[] = ".slice";
	const size_t whole = n, end = sizeof(suffix) - 1;
	size_t used = 0;

	n = whole > end ? whole - end : 0;
	if (!n || memcmp(&slice[n], suffix, end) != 0)
		return err_set(err, EINVAL, "linux.cgroupsPath: not a slice: %.*s", (int)whole,
			       slice);
	ret[0] = '\0';
	for (size_t i = 1; i <= n && !(n == 1 && slice[0] == '-'); i++) {
		if (i < n && slice[i] != '-')
			continue;
		used += (size_t)snprintf(ret + used, PATH_MAX - used, "/%.*s.slice", (int)i, slice);
		if (used >= PATH_MAX)
			return err_set(err, EINVAL, "linux.cgroupsPath: too long");
	}
	return 0;
}

int host_cgroup_path(const char *cgroups_path, char ret[PATH_MAX], struct err *err)
{
	const char *prefix = strchr(cgroups_path, ':');
	const char *name = prefix ? strchr(prefix + 1, ':') : NULL;
	size_t used;
	int n, r;

	if (!name) {
		n = snprintf(ret, PATH_MAX, "%s%s", cgroups_path[0] == '/' ? "" : "/",
			     cgroups_path);
		return n >= PATH_MAX ? err_set(err, EINVAL, "linux.cgroupsPath: too long") : 0;
	}
	r = prefix == cgroups_path
		    ? add_slices("system.slice", 12, ret, err)
		    : add_slices(cgroups_path, (size_t)(prefix - cgroups_path), ret, err);
	if (r < 0)
		return r;
	used = strlen(ret);
	prefix++;
	n = snprintf(ret + used, PATH_MAX - used, "/%.*s%s%s.scope", (int)(name - prefix), prefix,
		     name == prefix ? "" : "-", name + 1);
	return n >= (int)(PATH_MAX - used) ? err_set(err, EINVAL, "linux.cgroupsPath: too long")
					   : 0;
}

/* Calls fn for every hierarchy's directory. Returns how many said 0. */
static int for_each_hierarchy(int (*fn)(int rootfd, const char *path, pid_t pid), const char *path,
			      pid_t pid)
{
	_cleanup_close_ int root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	struct statfs fs;
	int n = 0, scan;
	DIR *dir;

	if (root < 0 || fstatfs(root, &fs) < 0)
		return -errno;
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return fn(root, path, pid) == 0;
	scan = fcntl(root, F_DUPFD_CLOEXEC, 3);
	dir = scan < 0 ? NULL : fdopendir(scan);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		_cleanup_close_ int fd = -1;

		/* Links are second names of hierarchies that have a first. */
		if (entry->d_name[0] == '.' || entry->d_type != DT_DIR)
			continue;
		fd = openat(root, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		n += fd >= 0 && fn(fd, path, pid) == 0;
	}
	closedir(dir);
	return n;
}

static int enter_one(int rootfd, const char *path, pid_t pid)
{
	_cleanup_close_ int fd = path_mkdirs_in_root(rootfd, path);
	char text[16];

	if (fd < 0)
		return fd;
	snprintf(text, sizeof(text), "%d", pid);
	return io_write_value(fd, "cgroup.procs", text);
}

static int remove_one(int rootfd, const char *path, pid_t pid)
{
	const char *slash = strrchr(path, '/');
	_cleanup_close_ int parent = -1;
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	parent = path_open_in_root(rootfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (parent < 0 || !path_is_name(slash + 1))
		return -ENOENT;
	for (int i = 0; unlinkat(parent, slash + 1, AT_REMOVEDIR) < 0; i++) {
		if (errno != EBUSY || i == REMOVE_TRIES)
			return -errno;
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	return 0;
}

/* v2's alone: whether a v1 hierarchy's group is someone's own is not to be seen. */
int host_cgroup_check_free(const char *path, struct err *err)
{
	_cleanup_close_ int root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd =
		root < 0 ? -1 : path_open_in_root(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	_cleanup_free_ char *procs = NULL, *events = NULL;
	size_t size;

	if (fd < 0)
		return 0;
	if (io_read_file(fd, "cgroup.events", 4096, &events, &size) == 0 &&
	    strstr(events, "frozen 1"))
		return err_set(err, EBUSY, "cgroup %.200s: is frozen: thaw it, or name another one",
			       path);
	if (io_read_file(fd, "cgroup.procs", 1 << 20, &procs, &size) == 0 && size)
		return err_set(err, EBUSY, "cgroup %.200s: is not empty: name another one", path);
	return 0;
}

int host_cgroup_enter(const char *path, pid_t pid, struct err *err)
{
	int n = for_each_hierarchy(enter_one, path, pid);

	if (n > 0)
		return 0;
	return err_set(err, n < 0 ? -n : EIO, "cgroup %.200s: cannot be made or entered", path);
}

void host_cgroup_remove(const char *path)
{
	if (path[0] == '/' && path[1])
		for_each_hierarchy(remove_one, path, 0);
}
