/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/fsmount.h"
#include "common/cleanup.h"
#include "common/path.h"

static void place(const char *name, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, VOLUME_WORK "/%s", name);
}

static int mount_at(const char *path, const struct mount_options *options, struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int fd = -1;
	int r = fsmount_open(&fs, "tmpfs", err);

	if (r >= 0)
		r = fsmount_set(&fs, "source", "memory", err);
	if (r >= 0)
		r = fsmount_set_data(&fs, options, err);
	if (r < 0)
		return r;
	fd = fsmount_create(&fs, options->attr_set, err);
	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set_errno(err, errno, "mounting it");
	return 0;
}

static int make(struct agent *agent, const struct plan_volume *volume, struct err *err)
{
	char path[PATH_MAX];

	place(volume->name, path);
	/* A directory that is there has its mount: who cannot mount takes it away again. */
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : err_set_errno(err, errno, "%s", path);
	if (agent->n_volumes >= VOLUMES_MAX) {
		rmdir(path);
		return err_set(err, ENOSPC, "the pod has %d folders in memory", VOLUMES_MAX);
	}
	if (mount_at(path, &volume->options, err) < 0) {
		rmdir(path);
		return -EINVAL;
	}
	agent->n_volumes++;
	return 0;
}

int volumes_make(struct agent *agent, const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct op *op = &plan->ops[i];

		if (op->kind == OP_BIND && op->mount->volume &&
		    make(agent, op->mount->volume, err) < 0)
			return err_wrap(err, "mount %.128s", op->path);
	}
	return 0;
}

void volumes_drop(struct agent *agent, char *const *names, size_t n)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!path_is_name(names[i]))
			continue;
		place(names[i], path);
		/* One that no container came to make is none. */
		if (umount2(path, MNT_DETACH) == 0 && rmdir(path) == 0)
			agent->n_volumes--;
	}
}

/* As the kubelet has made it on the host: what leads to it is root's. */
static int make_directory(int root, const struct plan_volume *volume)
{
	_cleanup_close_ int path_fd = path_mkdirs_in_root(root, volume->path), fd = -1;

	if (path_fd < 0)
		return path_fd;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, volume->uid, volume->gid) < 0 || fchmod(fd, volume->mode) < 0)
		return -errno;
	return TAKE_FD(path_fd);
}

int volume_open(const struct plan_volume *volume, struct err *err)
{
	_cleanup_close_ int root = -1;
	char path[PATH_MAX];
	int fd;

	place(volume->name, path);
	root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_set_errno(err, errno, "%s", path);
	/* Links in it are a container's: they lead nowhere but into it. */
	fd = path_open_in_root(root, volume->path, O_PATH | O_CLOEXEC, 0);
	if (fd == -ENOENT)
		fd = make_directory(root, volume);
	return fd < 0 ? err_set_errno(err, -fd, "%.128s of a folder in memory", volume->path) : fd;
}
