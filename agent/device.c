/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a device of the plan is made with mknod(2) in the container's root. Within a
 * user namespace that is not permitted to anybody, nor in a folder of the host, so the helper, before
 * it enters one, makes those devices in a tmpfs of its own (DEVICES_WORK, each named by its operation's
 * number), and each is bound to its place later. Paths of the container are resolved as in mount.c.
 */
#include "agent/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/fsmount.h"
#include "agent/mount_internal.h"
#include "agent/rootfs.h"
#include "common/cleanup.h"
#include "common/path.h"

static bool has_userns(const struct plan *plan)
{
	return plan->namespaces & CLONE_NEWUSER;
}

static bool is_device(const struct op *op)
{
	return op->kind == OP_DEVICE && !S_ISFIFO(op->device.mode);
}

/* --- beforehand ---------------------------------------------------------------------------- */

/* Those that are the guest's to give, in a file system that may hold devices. */
static int mount_devices(void)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	r = fsmount_open(&fs, "tmpfs", NULL);
	if (r >= 0)
		r = fsmount_set(&fs, "mode", "0755", NULL);
	if (r < 0)
		return r;
	fd = fsmount_create(&fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, NULL);
	if (fd < 0)
		return fd;
	return move_mount(fd, "", AT_FDCWD, DEVICES_WORK, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int make_shared_device(const struct plan *plan, const struct op *op, const char *path)
{
	int64_t uid = op->device.uid, gid = op->device.gid;

	if (has_userns(plan)) {
		uid = plan_map_id(plan->idmaps.uid, plan->idmaps.n_uid, op->device.uid);
		gid = plan_map_id(plan->idmaps.gid, plan->idmaps.n_gid, op->device.gid);
	}
	if (mknod(path, op->device.mode, makedev(op->device.major, op->device.minor)) < 0 ||
	    chmod(path, op->device.mode & 07777) < 0)
		return -errno;
	/* Only the usual devices' root may be missing (plan.c): then they are nobody's. */
	return uid >= 0 && gid >= 0 && lchown(path, (uid_t)uid, (gid_t)gid) < 0 ? -errno : 0;
}

int device_prepare(const struct plan *plan, bool shared_root, struct err *err)
{
	int r;

	if (!has_userns(plan) && !shared_root)
		return 0;
	r = mount_devices();
	for (size_t i = 0; r >= 0 && i < plan->n_ops; i++) {
		char path[64];

		snprintf(path, sizeof(path), DEVICES_WORK "/%zu", i);
		if (is_device(&plan->ops[i]))
			r = make_shared_device(plan, &plan->ops[i], path);
	}
	return r < 0 ? err_set_errno(err, -r, "making the container's devices") : 0;
}

/* --- in the container's root --------------------------------------------------------------- */

/* Where no device can be made: the one that device_prepare() has made is bound. */
static int bind_device(int root_fd, const struct plan *plan, const struct op *op)
{
	_cleanup_close_ int fd = -1, dir = -1, file = -1, tree = -1;
	char source[64];
	const char *name;
	int r;

	dir = mount_open_parent(root_fd, op->path, &name);
	if (dir < 0)
		return dir;
	snprintf(source, sizeof(source), DEVICES_WORK "/%td", op - plan->ops);
	fd = open(source, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (mknodat(dir, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return -errno;
	file = path_open_beneath(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	tree = fsmount_clone(fd, false);
	if (file < 0 || tree < 0)
		return file < 0 ? file : tree;
	/* Read-only bars chmod and chown of the node, not writing to the device. */
	r = fsmount_setattr(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0,
			    false);
	return r < 0 ? r : fsmount_attach(tree, file);
}

static int make_device(int root_fd, const struct op *op)
{
	dev_t number = makedev(op->device.major, op->device.minor);
	_cleanup_close_ int dir = -1;
	const char *name;
	struct stat st;

	dir = mount_open_parent(root_fd, op->path, &name);
	if (dir < 0)
		return dir;
	if (mknodat(dir, name, op->device.mode, number) < 0) {
		if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		/* The place for a bound one, which the last container on this folder of the host's has left. */
		if (S_ISREG(st.st_mode) && st.st_size == 0)
			return -EPERM;
		return (st.st_mode & S_IFMT) == (op->device.mode & S_IFMT) &&
				       (S_ISFIFO(st.st_mode) || st.st_rdev == number)
			       ? 0
			       : -EEXIST;
	}
	if (fchownat(dir, name, op->device.uid, op->device.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int device_make(const struct plan *plan, int root_fd, const struct op *op)
{
	bool bound = is_device(op) && has_userns(plan);
	int r = bound ? -EPERM : make_device(root_fd, op);

	return r == -EPERM && is_device(op) ? bind_device(root_fd, plan, op) : r;
}
