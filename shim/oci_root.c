/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: everything is cloned as a detached mount while the host's paths can be seen, then
 * put together beneath the new root, whose links are the image's words and so resolve inside of it. What
 * has no place there (a target that is beneath the guest's own tmpfs) is left out.
 */
#include "shim/oci_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "shim/share.h"

struct volume {
	const char *destination;
	int fd;
};

/* The mount's tree, -1 where it is no bind mount or its source cannot be had. */
static int open_volume(const struct spec_mount *mount, const char *bundle)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (!mount->source || !mount->source[0] || !mount->destination ||
	    !spec_mount_is_bind(mount))
		return -1;
	if (asprintf(&path, "%s%s%s", mount->source[0] == '/' ? "" : bundle,
		     mount->source[0] == '/' ? "" : "/", mount->source) < 0)
		return -1;
	fd = share_clone(path, spec_mount_has(mount, "ro") || spec_mount_has(mount, "rro"),
			 spec_mount_has(mount, "rbind"), NULL);
	return fd < 0 ? -1 : fd;
}

static size_t open_volumes(const struct spec *spec, const char *bundle, struct volume *volumes)
{
	const struct spec_mount *mounts = spec->config.mounts.items;
	size_t n = 0;

	for (size_t i = 0; i < spec->config.mounts.n; i++) {
		int fd = open_volume(&mounts[i], bundle);

		if (fd >= 0)
			volumes[n++] = (struct volume){mounts[i].destination, fd};
	}
	return n;
}

static void place(int root, const struct volume *volume)
{
	_cleanup_close_ int at =
		path_open_in_root(root, volume->destination, O_PATH | O_CLOEXEC, 0);

	if (at >= 0)
		move_mount(volume->fd, "", at, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* So that a /proc that is looked for is not the host's. */
static void place_proc(int root)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC), fd = -1;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return;
	fd = fsmount(fs, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd >= 0)
		place(root, &(struct volume){"/proc", fd});
}

/* The new root over the old one's path, then in its place; the old one goes with all beneath it. */
static int turn(int root, const char *rootfs)
{
	if (move_mount(root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	/* The old root lies over the new one now. */
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}

int oci_root_enter(const struct spec *spec, const char *bundle, const char *rootfs, struct err *err)
{
	bool readonly = spec && spec->config.root && spec->config.root->readonly;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	_cleanup_free_ struct volume *volumes =
		calloc(spec ? spec->config.mounts.n + 1 : 1, sizeof(*volumes));
	_cleanup_close_ int root = -1;
	size_t n;
	int r;

	if (!volumes)
		return err_set(err, ENOMEM, "out of memory");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set_errno(err, errno, "the stand-in's mounts");
	root = share_clone(rootfs, readonly, true, err);
	if (root < 0)
		return root;
	n = spec ? open_volumes(spec, bundle, volumes) : 0;
	r = turn(root, rootfs);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			place(root, &volumes[i]);
		close(volumes[i].fd);
	}
	if (r == 0)
		place_proc(root);
	if (r == 0)
		mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr));
	return r < 0 ? err_set_errno(err, -r, "the stand-in's root %.200s", rootfs) : 0;
}
