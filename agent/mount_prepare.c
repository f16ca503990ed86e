/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: to map a mount's ids takes root of the user namespace that the file system is of, which
 * for a folder of the host is the guest's own. So the helper does that before the container's user namespace
 * is there, and leaves the mount beneath DEVICES_WORK, in a directory or on a file that has the operation's
 * number for a name; the container's first process, whose mounts are a copy of the helper's, binds it from
 * there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fsmount.h"
#include "agent/idmap.h"
#include "agent/mount.h"
#include "agent/mount_internal.h"
#include "agent/rootfs.h"
#include "agent/share.h"
#include "common/cleanup.h"

int mount_idmap(int mount_fd, const struct op *op, struct err *err)
{
	_cleanup_close_ int userns = -1;
	int r;

	if (!op->mount->options.idmap)
		return 0;
	userns = idmap_open(&op->mount->idmaps, err);
	if (userns < 0)
		return userns;
	r = fsmount_idmap(mount_fd, userns, op->mount->options.idmap_rec);
	return r < 0 ? err_set_errno(err, -r, "idmapping it") : 0;
}

bool mount_is_prepared(const struct plan *plan, const struct op *op)
{
	return op->kind == OP_BIND && op->mount->options.idmap &&
	       (plan->namespaces & CLONE_NEWUSER);
}

static void name_of(const struct plan *plan, const struct op *op, char ret[64])
{
	snprintf(ret, 64, DEVICES_WORK "/%td", op - plan->ops);
}

int mount_open_prepared(const struct plan *plan, const struct op *op, struct err *err)
{
	char path[64];
	int fd;

	name_of(plan, op, path);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? err_set_errno(err, errno, "%s", path) : fd;
}

static int make_target(const char *path, bool directory)
{
	int fd;

	if ((directory ? mkdir(path, 0700) : mknod(path, S_IFREG | 0600, 0)) < 0)
		return -errno;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int prepare(const struct plan *plan, const struct op *op, struct err *err)
{
	_cleanup_close_ int source = share_open(op->mount->source, err), tree = -1, target = -1;
	struct stat st;
	char path[64];
	int r;

	if (source < 0)
		return source;
	tree = fsmount_clone(source, op->mount->options.rbind);
	if (tree < 0 || fstat(source, &st) < 0)
		return err_set_errno(err, tree < 0 ? -tree : errno, "cloning it");
	if (mount_idmap(tree, op, err) < 0)
		return -EINVAL;
	name_of(plan, op, path);
	target = make_target(path, S_ISDIR(st.st_mode));
	r = target < 0 ? target : fsmount_attach(tree, target);
	return r < 0 ? err_set_errno(err, -r, "%s", path) : 0;
}

int mount_prepare(const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n_ops; i++)
		if (mount_is_prepared(plan, &plan->ops[i]) && prepare(plan, &plan->ops[i], err) < 0)
			return err_wrap(err, "mount %.128s", plan->ops[i].path);
	return 0;
}
