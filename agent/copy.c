/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the process is in the container's mount namespace and cgroup and in nothing else of
 * it: the container cannot see it, and what it eats counts as the container's. Of root's rights it keeps
 * those that other users' files need. Every path goes through common/path.h, which resolves it in the
 * container's root; what the tree beneath it holds, common/tree.h takes for hostile.
 */
#include "agent/copy.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/caps.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"
#include "common/tree.h"

#define EXIT_FAILED  1
#define MAX_LEFT_OUT 100

int copy_check(const Agent__Copy *copy, struct err *err)
{
	if (!copy->path[0] || strlen(copy->path) >= PATH_MAX)
		return err_set(err, EINVAL, "copy: no path, or too long a one");
	if (copy->in && strcmp(copy->name, ".") != 0 && !path_is_name(copy->name))
		return err_set(err, EINVAL, "copy: %.64s is no name", copy->name);
	return 0;
}

/* The client reads these at the end, so there must not be more of them than a pipe holds. */
static void left_out(const char *name, const char *why, void *data)
{
	const struct child_args *args = data;
	static unsigned n;
	char line[NAME_MAX + 80];

	if (++n == MAX_LEFT_OUT)
		name = "more";
	if (n > MAX_LEFT_OUT)
		return;
	snprintf(line, sizeof(line), "%s: left out: %s\n", name, why);
	if (args->stdio[2] >= 0)
		io_write_full(args->stdio[2], line, strlen(line));
}

/* The directory that path's last component is in, and that component. */
static int open_parent(int root_fd, const char *path, char name[NAME_MAX + 1], struct err *err)
{
	char dir[PATH_MAX];
	int fd, r = path_split(path, dir, name);

	if (r < 0)
		return err_set_errno(err, -r, "%.256s", path);
	fd = path_open_in_root(root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? err_set_errno(err, -fd, "%.256s", dir) : fd;
}

static int copy_out(const struct child_args *args, int root_fd, struct err *err)
{
	char name[NAME_MAX + 1];
	_cleanup_close_ int dir = open_parent(root_fd, args->copy->path, name, err);

	return dir < 0 ? dir
		       : tree_send(dir, name, args->stdio[1], left_out, (void *)(uintptr_t)args,
				   err);
}

static int copy_in(const struct child_args *args, int root_fd, struct err *err)
{
	const Agent__Copy *copy = args->copy;
	struct tree_receiver receiver = {
		.name = copy->name,
		.mask = 07777,
		.keep_owners = copy->keep_owners,
		.uid = args->root_uid,
		.gid = args->root_gid,
	};
	_cleanup_close_ int dir =
		path_open_in_root(root_fd, copy->path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	char name[NAME_MAX + 1];

	if (dir < 0 && dir != -ENOTDIR &&
	    (dir != -ENOENT || copy->path[strlen(copy->path) - 1] == '/'))
		return err_set_errno(err, -dir, "%.256s", copy->path);
	if (dir < 0) {
		dir = open_parent(root_fd, copy->path, name, err);
		if (dir < 0)
			return dir;
		receiver.name = name;
	}
	receiver.dirfd = dir;
	return tree_receive(args->stdio[0], &receiver, err);
}

static int drop_rights(void)
{
	const uint64_t kept = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |
			      1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | 1ull << CAP_FSETID;

	return caps_apply(&(struct caps){.effective = kept, .permitted = kept});
}

void copy_run(const struct child_args *args, int root_fd)
{
	struct err err = ERR_INIT;
	int r = drop_rights();

	/* As an exec would: the process runs. */
	close(args->report_fd);
	umask(0);
	if (r < 0)
		err_set_errno(&err, -r, "capabilities");
	else
		r = args->copy->in ? copy_in(args, root_fd, &err) : copy_out(args, root_fd, &err);
	if (r == 0)
		_exit(0);
	if (args->stdio[2] >= 0)
		dprintf(args->stdio[2], "%s\n", err.msg);
	_exit(EXIT_FAILED);
}
