/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a container may make cgroups beneath its own, so whatever concerns its
 * processes walks that tree, deepest first. Depth and number are bounded by what cgroup_apply() has
 * set; the walk itself trusts neither.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"

#define MAX_FILE (1u << 20)

/* name is NULL for the top of the walk. */
typedef void (*visit_fn)(int fd, int parent_fd, const char *name, void *data);

static void visit(int fd, int parent_fd, const char *name, int depth, visit_fn fn, void *data)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;

	if (!dir && again >= 0)
		close(again);
	while (dir && depth <= CGROUP_MAX_DEPTH && (entry = readdir(dir))) {
		_cleanup_close_ int child = -1;

		if (entry->d_type != DT_DIR || !path_is_name(entry->d_name))
			continue;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			visit(child, fd, entry->d_name, depth + 1, fn, data);
	}
	if (dir)
		closedir(dir);
	fn(fd, parent_fd, name, data);
}

static void visit_remove(int fd, int parent_fd, const char *name, void *data)
{
	if (name)
		unlinkat(parent_fd, name, AT_REMOVEDIR);
}

void cgroup_remove_beneath(int fd)
{
	visit(fd, -1, NULL, 0, visit_remove, NULL);
}

struct pid_list {
	uint32_t *pids;
	size_t n, max;
};

static void visit_pids(int fd, int parent_fd, const char *name, void *data)
{
	_cleanup_free_ char *text = NULL;
	struct pid_list *list = data;

	/* A threaded cgroup has no list of its own: its processes are in the domain's. */
	if (io_read_file(fd, "cgroup.procs", MAX_FILE, &text, NULL) < 0)
		return;
	for (char *p = text; *p && list->n < list->max; p += strspn(p, "\n")) {
		char *end;
		unsigned long pid = strtoul(p, &end, 10);

		if (end == p)
			return;
		/* 0: a process of another pid namespace, which here there is none above ours. */
		if (pid)
			list->pids[list->n++] = (uint32_t)pid;
		p = end;
	}
}

size_t cgroup_pids(int fd, uint32_t *pids, size_t max)
{
	struct pid_list list = {pids, 0, max};

	visit(fd, -1, NULL, 0, visit_pids, &list);
	return list.n;
}

int cgroup_kill(int fd)
{
	return io_write_value(fd, "cgroup.kill", "1");
}

int cgroup_freeze(int fd, bool on)
{
	return io_write_value(fd, "cgroup.freeze", on ? "1" : "0");
}

/* Where in the cgroup of container id the process is, "" for its top; NULL: not in it. *ret_text is
 * the caller's to free. */
static char *place_of(uint32_t pid, const char *id, char **ret_text)
{
	char path[64], prefix[256], *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	len = (size_t)snprintf(prefix, sizeof(prefix), "0::/containers/%s", id);
	if (len >= sizeof(prefix) || io_read_file(AT_FDCWD, path, 65536, &text, NULL) < 0)
		return NULL;
	*ret_text = text;
	if (strncmp(text, prefix, len) != 0 || (text[len] != '\n' && text[len] != '/'))
		return NULL;
	text[len + strcspn(text + len, "\n")] = '\0';
	return text + len;
}

static bool is_member(uint32_t pid, const char *id)
{
	_cleanup_free_ char *text = NULL;

	return place_of(pid, id, &text) != NULL;
}

int cgroup_open_inside(int fd, const char *path)
{
	path += strspn(path, "/");
	return path_open_beneath(fd, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

bool cgroup_takes_processes(int fd)
{
	_cleanup_free_ char *text = NULL;

	return io_read_file(fd, "cgroup.subtree_control", 4096, &text, NULL) < 0 ||
	       !text[strspn(text, " \n")];
}

int cgroup_open_of(int fd, const char *id, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	const char *place = place_of((uint32_t)pid, id, &text);

	return place ? cgroup_open_inside(fd, place) : -ESRCH;
}

int cgroup_signal(int fd, const char *id, int signo)
{
	/* Not allocated: this is what ends a container that has eaten all memory. */
	static uint32_t pids[CGROUP_MAX_PIDS];
	int sent = 0;
	size_t n;

	n = cgroup_pids(fd, pids, CGROUP_MAX_PIDS);
	if (n && signo == SIGKILL)
		return cgroup_kill(fd) < 0 ? -EIO : (int)n;
	for (size_t i = 0; i < n; i++) {
		/*
		 * The number may have become another container's since it was read. What the pidfd
		 * holds is judged after it was opened: if the number changes hands again, the pidfd's
		 * process is dead and gets nothing.
		 */
		_cleanup_close_ int pidfd = pidfd_open((pid_t)pids[i], 0);

		if (pidfd >= 0 && is_member(pids[i], id) &&
		    pidfd_send_signal(pidfd, signo, NULL, 0) == 0)
			sent++;
	}
	return sent;
}
