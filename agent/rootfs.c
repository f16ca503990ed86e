/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: beneath ROOTFS_WORK, in the calling process's private mount namespace:
 *
 *	base/	the image's disk or shared folder, or the whole root file system where there is no overlay
 *	layer/	a tmpfs of bounded size, or the scratch disk: upper/ and work/
 *	root/	the overlay of the two
 *
 * The result leaves as a detached clone: the namespace dies with the process, and the pieces live
 * on exactly as long as the container's mount of root. No other process ever sees the image's
 * files by a path.
 */
#include "agent/rootfs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/disk.h"
#include "agent/fsmount.h"
#include "agent/options.h"
#include "agent/share.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"
#include "common/slots.h"

static const char *const disk_types[] = {"erofs", "ext4", "ext2", "ext3"};

static int check_volume(const Agent__Volume *volume, const char *what, struct err *err)
{
	struct mount_options options;
	bool known = false;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(disk_types); i++)
		known |= !strcmp(volume->fstype, disk_types[i]);
	if (!known)
		return err_set(err, ENOSYS, "%s: file system \"%.32s\" is not supported", what,
			       volume->fstype);
	if (volume->slot >= DISK_MAX_SLOTS)
		return err_set(err, EINVAL, "%s: there is no disk slot %u", what, volume->slot);
	r = options_parse(volume->options, volume->n_options, &options, err);
	if (r < 0)
		return err_wrap(err, "%s", what);
	if (options.bind || options.propagation || options.rec_set || options.rec_clr ||
	    options.copyup || options.idmap)
		return err_set(err, EINVAL, "%s: not an option of a disk's mount", what);
	return 0;
}

int rootfs_check(const Agent__Rootfs *rootfs, struct err *err)
{
	int r;

	if (!rootfs || !rootfs->lower == !rootfs->share[0])
		return err_set(err, EINVAL, "rootfs: a lower disk or a share is wanted");
	r = rootfs->lower ? check_volume(rootfs->lower, "rootfs.lower", err)
			  : share_check(rootfs->share, "rootfs.share", err);
	if (r < 0 || !rootfs->overlay)
		return r;
	if (rootfs->overlay->disk)
		return check_volume(rootfs->overlay->disk, "rootfs.overlay", err);
	if (rootfs->overlay->size < 65536 || rootfs->overlay->size > INT64_MAX)
		return err_set(err, EINVAL, "rootfs.overlay.size: %" PRIu64 " bytes",
			       rootfs->overlay->size);
	return 0;
}

/* Mounts a disk. Returns the detached mount. */
static int mount_volume(const Agent__Volume *volume, struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	struct mount_options options;
	char device[64];
	int r;

	r = options_parse(volume->options, volume->n_options, &options, err);
	if (r >= 0)
		r = disk_find(volume->slot, device, sizeof(device), err);
	if (r < 0)
		return r;
	r = fsmount_open(&fs, volume->fstype, err);
	if (r >= 0)
		r = fsmount_set(&fs, "source", device, err);
	/* The superblock too: a read-only disk cannot be opened for writing, nor a journal replayed. */
	if (r >= 0 && (options.attr_set & MOUNT_ATTR_RDONLY))
		r = fsmount_set(&fs, "ro", NULL, err);
	if (r >= 0)
		r = fsmount_set_data(&fs, &options, err);
	if (r < 0)
		return r;
	return fsmount_create(&fs, options.attr_set, err);
}

static int mount_share(const char *name, struct err *err)
{
	_cleanup_close_ int fd = share_open(name, err);
	struct stat st;
	int tree;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "rootfs.share: %.64s is not a directory", name);
	tree = fsmount_clone(fd, false);
	return tree < 0 ? err_set_errno(err, -tree, "rootfs.share") : tree;
}

static int mount_layer(const Agent__Overlay *overlay, struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	char size[32];
	int r;

	if (overlay->disk)
		return mount_volume(overlay->disk, err);
	snprintf(size, sizeof(size), "%" PRIu64, overlay->size);
	r = fsmount_open(&fs, "tmpfs", err);
	if (r >= 0)
		r = fsmount_set(&fs, "source", "overlay", err);
	if (r >= 0)
		r = fsmount_set(&fs, "size", size, err);
	if (r >= 0)
		r = fsmount_set(&fs, "mode", "0755", err);
	if (r < 0)
		return r;
	return fsmount_create(&fs, 0, err);
}

/* Attaches the detached mount fd (taken over) at ROOTFS_WORK/name and opens its root. */
static int attach(int fd, const char *name, struct err *err)
{
	_cleanup_close_ int mount_fd = fd, root = -1;
	char path[64];

	snprintf(path, sizeof(path), ROOTFS_WORK "/%s", name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_set_errno(err, errno, "%s", path);
	if (move_mount(mount_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set_errno(err, errno, "mounting %s", path);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set_errno(err, errno, "%s", path);
	return TAKE_FD(root);
}

/* The layer's own directories. A scratch disk may be reused, and hold anything: no link is followed. */
static int make_layer_dirs(int layer_fd, int base_fd, struct err *err)
{
	static const char *const names[] = {"upper", "work"};
	struct stat base;
	bool fresh[2];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = -1;

		fresh[i] = mkdirat(layer_fd, names[i], 0755) == 0;
		if (!fresh[i] && errno != EEXIST)
			return err_set_errno(err, errno, "making the overlay's %s", names[i]);
		fd = path_open_beneath(layer_fd, names[i], O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd < 0)
			return err_set_errno(err, -fd, "the overlay's %s", names[i]);
	}
	/* The root directory of the overlay is upper's: it shall look like the image's. */
	if (fresh[0] && fstat(base_fd, &base) == 0 &&
	    (fchownat(layer_fd, "upper", base.st_uid, base.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	     fchmodat(layer_fd, "upper", base.st_mode & 07777, 0) < 0))
		return err_set_errno(err, errno, "the overlay's upper");
	return 0;
}

static int mount_overlay(struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	int r;

	r = fsmount_open(&fs, "overlay", err);
	if (r >= 0)
		r = fsmount_set(&fs, "source", "overlay", err);
	if (r >= 0)
		r = fsmount_set(&fs, "lowerdir", ROOTFS_WORK "/base", err);
	if (r >= 0)
		r = fsmount_set(&fs, "upperdir", ROOTFS_WORK "/layer/upper", err);
	if (r >= 0)
		r = fsmount_set(&fs, "workdir", ROOTFS_WORK "/layer/work", err);
	if (r < 0)
		return r;
	return fsmount_create(&fs, 0, err);
}

int rootfs_mount(const Agent__Rootfs *rootfs, struct err *err)
{
	_cleanup_close_ int base = -1, layer = -1;
	int fd, r;

	fd = rootfs->lower ? mount_volume(rootfs->lower, err) : mount_share(rootfs->share, err);
	if (fd < 0 || !rootfs->overlay)
		return fd;
	base = attach(fd, "base", err);
	if (base < 0)
		return base;
	fd = mount_layer(rootfs->overlay, err);
	if (fd < 0)
		return fd;
	layer = attach(fd, "layer", err);
	if (layer < 0)
		return layer;
	r = make_layer_dirs(layer, base, err);
	if (r < 0)
		return r;
	return mount_overlay(err);
}

int rootfs_write_resolv_conf(int rootfs_fd, const char *text, struct err *err)
{
	_cleanup_close_ int etc = path_mkdirs_in_root(rootfs_fd, "/etc"), fd = -1;
	int r = etc;

	if (etc >= 0) {
		/* Images have it as a link to a service of theirs, which does not run. */
		unlinkat(etc, "resolv.conf", 0);
		fd = openat(etc, "resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		r = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));
	}
	if (r == -EROFS)
		return 0;
	return r < 0 ? err_set_errno(err, -r, "/etc/resolv.conf") : 0;
}
