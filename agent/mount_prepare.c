/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: to map a mount's ids takes root of the user namespace that the file system is of, which
 * for a folder of the host is the guest's own, as it is for one of the pod's memory, where a directory may
 * have to be made; and to mount a sysfs takes root of the one that the network which it shows belongs to, to
 * mount a proc of the one that the process namespace does. Nor may anybody else change when a bind mount notes that
 * a file was read. So the helper does all that before the container's user namespace is there, and leaves the mount beneath
 * DEVICES_WORK, in a directory or on a file that has the operation's number for a name; the container's first
 * process, whose mounts are a copy of the helper's, binds it from there. The network that such a sysfs shows
 * is the pod's, where the helper is, also for a container that joins another one's. A proc shows the processes
 * of who mounts it: a child of the helper, when that has joined their namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fsmount.h"
#include "agent/idmap.h"
#include "agent/mount.h"
#include "agent/mount_internal.h"
#include "agent/rootfs.h"
#include "agent/share.h"
#include "agent/volume.h"
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

static bool is_mount_of(const struct op *op, const char *type)
{
	return op->kind == OP_MOUNT && strcmp(op->mount->type, type) == 0;
}

/* Once it is in another user namespace, a mount keeps what it was copied with. */
static bool changes_atime(const struct mount_options *options)
{
	uint64_t all = options->attr_set | options->attr_clr | options->rec_set | options->rec_clr;

	return all & (MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME);
}

static bool is_of_joined(const struct plan *plan, const struct op *op)
{
	return plan->namespaces & CLONE_NEWUSER && !(plan->namespaces & CLONE_NEWPID) &&
	       is_mount_of(op, "proc");
}

bool mount_is_prepared(const struct plan *plan, const struct op *op)
{
	if (!(plan->namespaces & CLONE_NEWUSER))
		return false;
	if (op->kind == OP_BIND)
		return op->mount->options.idmap || op->mount->volume ||
		       changes_atime(&op->mount->options);
	return is_of_joined(plan, op) ||
	       (is_mount_of(op, "sysfs") && !(plan->namespaces & CLONE_NEWNET));
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

int mount_open_source(const struct op *op, struct err *err)
{
	return op->mount->volume ? volume_open(op->mount->volume, err)
				 : share_open(op->mount->source, err);
}

int mount_set_attributes(int mount_fd, const struct mount_options *options)
{
	int r = fsmount_setattr(mount_fd, options->attr_set, options->attr_clr, 0, false);

	return r < 0 ? r : fsmount_setattr(mount_fd, options->rec_set, options->rec_clr, 0, true);
}

static int open_bind(const struct op *op, struct err *err)
{
	_cleanup_close_ int source = mount_open_source(op, err), tree = -1;

	if (source < 0)
		return source;
	tree = fsmount_clone(source, op->mount->options.rbind);
	if (tree < 0)
		return err_set_errno(err, -tree, "cloning it");
	return mount_idmap(tree, op, err) < 0 ? -EINVAL : TAKE_FD(tree);
}

static int open_fresh(const struct op *op, struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	int r = mount_begin(&fs, op, err);

	return r < 0 ? r : fsmount_create(&fs, 0, err);
}

static int prepare(const struct plan *plan, const struct op *op, struct err *err)
{
	_cleanup_close_ int tree = -1, target = -1;
	struct stat st;
	char path[64];
	int r;

	tree = op->kind == OP_BIND ? open_bind(op, err) : open_fresh(op, err);
	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0)
		return err_set_errno(err, errno, "what it is of");
	/* All of them now: some can be set but once (changes_atime()). */
	r = mount_set_attributes(tree, &op->mount->options);
	if (r < 0)
		return err_set_errno(err, -r, "its options");
	name_of(plan, op, path);
	target = make_target(path, S_ISDIR(st.st_mode));
	r = target < 0 ? target : fsmount_attach(tree, target);
	return r < 0 ? err_set_errno(err, -r, "%s", path) : 0;
}

int mount_prepare(const struct plan *plan, bool joined, struct err *err)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct op *op = &plan->ops[i];

		if (mount_is_prepared(plan, op) && is_of_joined(plan, op) == joined &&
		    prepare(plan, op, err) < 0)
			return err_wrap(err, "mount %.128s", op->path);
	}
	return 0;
}

bool mount_awaits_join(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_ops; i++)
		if (is_of_joined(plan, &plan->ops[i]))
			return true;
	return false;
}
