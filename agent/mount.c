/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the root file system is somebody's image, and each of its names may be a
 * link that wants to lead out. So no path of the container is ever given to the kernel as such:
 * it is opened by common/path.h, which resolves it inside root_fd, and what is then mounted, made
 * or changed is what that descriptor refers to. Paths that this file names itself are the agent's,
 * in its own tree, which is still "/" here.
 */
#include "agent/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent/copyup.h"
#include "agent/device.h"
#include "agent/fsmount.h"
#include "agent/mount_internal.h"
#include "agent/net.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"

#define MAX_LINKS 40 /* as the kernel */

int mount_open_parent(int root_fd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];

	if (!slash || strlen(path) >= sizeof(parent) || !path_is_name(slash + 1))
		return -EINVAL;
	snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	*ret_name = slash + 1;
	return path_mkdirs_in_root(root_fd, parent);
}

int mount_sysctl(const char *name, const char *value, struct err *err)
{
	char path[192];
	int r;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *p = path + strlen("/proc/sys/"); *p; p++) {
		if (*p == '.')
			*p = '/';
	}
	r = io_write_value(AT_FDCWD, path, value);
	return r < 0 ? err_set_errno(err, -r, "sysctl %s", name) : 0;
}

/*
 * Where a file system goes. For proc and sysfs the way there must hold no link: the masked and
 * read-only paths beneath them are given as /proc/... and would miss a mount that is elsewhere.
 */
static int open_target(int root_fd, const struct op *op, bool *ret_made)
{
	bool strict = !strcmp(op->mount->type, "proc") || !strcmp(op->mount->type, "sysfs");
	const char *relative = op->path + strspn(op->path, "/");
	int flags = O_PATH | O_CLOEXEC | (strict ? O_DIRECTORY : 0);
	_cleanup_close_ int fd = -1;

	if (!relative[0])
		relative = ".";
	fd = strict ? path_open_beneath(root_fd, relative, flags, 0)
		    : path_open_in_root(root_fd, op->path, flags, 0);
	*ret_made = fd == -ENOENT;
	/* Before anything is made where a link leads to. */
	if (strict && fd != -ENOENT)
		return TAKE_FD(fd);
	close_fd(&fd);
	fd = path_mkdirs_in_root(root_fd, op->path);
	if (fd < 0 || !strict)
		return TAKE_FD(fd);
	return path_open_beneath(root_fd, relative, flags, 0);
}

static bool has_data(const struct mount_options *options, const char *prefix)
{
	for (size_t i = 0; i < options->n_data; i++)
		if (!strncmp(options->data[i], prefix, strlen(prefix)))
			return true;
	return false;
}

/* What the new mount (detached) shall have of what it goes over. */
static int fill_mount(int mount_fd, int target_fd, const struct mount_options *options,
		      struct err *err)
{
	_cleanup_close_ int from = -1, to = -1;
	struct stat st;

	if (!options->copyup)
		return 0;
	from = openat(target_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return err_set_errno(err, errno, "tmpcopyup");
	if (!has_data(options, "mode=") && fchown(to, st.st_uid, st.st_gid) < 0)
		return err_set_errno(err, errno, "tmpcopyup");
	return copyup(from, to, err);
}

/* As runc has it, a tmpfs has the mode of the directory that it goes over, if that was there. */
static int set_mode(struct fsmount *fs, const struct op *op, int target_fd, struct err *err)
{
	char text[8];
	struct stat st;

	if (strcmp(op->mount->type, "tmpfs") != 0 || has_data(&op->mount->options, "mode="))
		return 0;
	if (fstat(target_fd, &st) < 0)
		return err_set_errno(err, errno, "mount point %.128s", op->path);
	snprintf(text, sizeof(text), "%o", st.st_mode & 07777);
	return fsmount_set(fs, "mode", text, err);
}

int mount_begin(struct fsmount *fs, const struct op *op, struct err *err)
{
	int r = fsmount_open(fs, op->mount->type, err);

	if (r >= 0)
		r = fsmount_set(fs, "source", op->mount->source, err);
	return r < 0 ? r : fsmount_set_data(fs, &op->mount->options, err);
}

/* The detached mount, as yet without its attributes: one that is read-only takes no copy. */
static int create_mount(const struct op *op, int target_fd, bool made, struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int mount_fd = -1;
	int r = mount_begin(&fs, op, err);

	if (r >= 0 && !made)
		r = set_mode(&fs, op, target_fd, err);
	if (r >= 0)
		r = mount_fd = fsmount_create(&fs, 0, err);
	if (r >= 0)
		r = fill_mount(mount_fd, target_fd, &op->mount->options, err);
	if (r >= 0)
		r = mount_idmap(mount_fd, op, err);
	return r < 0 ? r : TAKE_FD(mount_fd);
}

static int clone_prepared(const struct plan *plan, const struct op *op, struct err *err)
{
	_cleanup_close_ int source = mount_open_prepared(plan, op, err);
	int fd;

	if (source < 0)
		return source;
	fd = fsmount_clone(source, false);
	return fd < 0 ? err_set_errno(err, -fd, "cloning it") : fd;
}

static int do_mount(const struct plan *plan, int root_fd, const struct op *op, struct err *err)
{
	const struct mount_options *options = &op->mount->options;
	_cleanup_close_ int mount_fd = -1, target = -1;
	bool prepared = mount_is_prepared(plan, op), made;
	int r;

	target = open_target(root_fd, op, &made);
	if (target < 0)
		return err_set_errno(err, -target, "mount point %.128s", op->path);
	mount_fd = prepared ? clone_prepared(plan, op, err) : create_mount(op, target, made, err);
	if (mount_fd < 0)
		return err_wrap(err, "mount %.128s", op->path);
	r = prepared ? 0 : mount_set_attributes(mount_fd, options);
	if (r >= 0)
		r = fsmount_attach(mount_fd, target);
	if (r >= 0)
		r = fsmount_setattr(mount_fd, 0, 0, options->propagation, options->propagation_rec);
	return r < 0 ? err_set_errno(err, -r, "mount %.128s", op->path) : 0;
}

/* Where path leads by the link that is its last component, and that leads to nothing yet. */
static int follow_link(int dir, const char *name, char path[PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);
	size_t parent = (size_t)(strrchr(path, '/') - path) + 1;

	if (n < 0)
		return -errno;
	if (target[0] == '/')
		parent = 0;
	if (parent + (size_t)n >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + parent, target, (size_t)n);
	path[parent + (size_t)n] = '\0';
	return 0;
}

/* A file's mount point is a file, made where there is none; links in the way are the root's own. */
static int open_file_target(int root_fd, const char *path)
{
	char at[PATH_MAX];

	snprintf(at, sizeof(at), "%s", path);
	for (int links = 0; links < MAX_LINKS; links++) {
		int fd = path_open_in_root(root_fd, at, O_PATH | O_CLOEXEC, 0), r;
		_cleanup_close_ int dir = -1;
		const char *name;

		if (fd != -ENOENT)
			return fd;
		dir = mount_open_parent(root_fd, at, &name);
		if (dir < 0)
			return dir;
		if (mknodat(dir, name, S_IFREG | 0644, 0) == 0)
			return path_open_beneath(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		if (errno != EEXIST)
			return -errno;
		r = follow_link(dir, name, at);
		if (r < 0)
			return r;
	}
	return -ELOOP;
}

static int do_bind(const struct plan *plan, int root_fd, const struct op *op, struct err *err)
{
	const struct mount_options *options = &op->mount->options;
	_cleanup_close_ int source = -1, tree = -1, target = -1;
	bool prepared = mount_is_prepared(plan, op);
	struct stat st;
	int r;

	source = prepared ? mount_open_prepared(plan, op, err) : mount_open_source(op, err);
	if (source < 0)
		return err_wrap(err, "mount %.128s", op->path);
	if (fstat(source, &st) < 0)
		return err_set_errno(err, errno, "mount %.128s", op->path);
	target = S_ISDIR(st.st_mode) ? path_mkdirs_in_root(root_fd, op->path)
				     : open_file_target(root_fd, op->path);
	if (target < 0)
		return err_set_errno(err, -target, "mount point %.128s", op->path);
	tree = fsmount_clone(source, options->rbind);
	r = tree < 0 ? tree : 0;
	if (r >= 0 && !prepared && mount_idmap(tree, op, err) < 0)
		return err_wrap(err, "mount %.128s", op->path);
	if (r >= 0 && !prepared)
		r = mount_set_attributes(tree, options);
	if (r >= 0)
		r = fsmount_attach(tree, target);
	if (r >= 0)
		r = fsmount_setattr(tree, 0, 0, options->propagation, options->propagation_rec);
	return r < 0 ? err_set_errno(err, -r, "mount %.128s", op->path) : 0;
}

int mount_over_file(int root_fd, const char *path, int fd)
{
	_cleanup_close_ int dir = -1, file = -1, tree = -1;
	const char *name;

	dir = mount_open_parent(root_fd, path, &name);
	if (dir < 0)
		return dir;
	if (mknodat(dir, name, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return -errno;
	file = path_open_beneath(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (file < 0)
		return file;
	tree = fsmount_clone(fd, false);
	if (tree < 0)
		return tree;
	return fsmount_attach(tree, file);
}

static int make_link(int root_fd, const struct op *op)
{
	_cleanup_close_ int dir = -1;
	const char *name;

	dir = mount_open_parent(root_fd, op->path, &name);
	if (dir < 0)
		return dir;
	return symlinkat(op->value, dir, name) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_cwd(int root_fd, const char *path)
{
	_cleanup_close_ int fd = path_mkdirs_in_root(root_fd, path);

	/* A read-only image may lack it; chdir(2) will say so in the process's own terms. */
	return fd < 0 && fd != -EROFS ? fd : 0;
}

static int empty_directory(void)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	int r;

	r = fsmount_open(&fs, "tmpfs", NULL);
	if (r >= 0)
		r = fsmount_set(&fs, "nr_inodes", "1", NULL);
	if (r >= 0)
		r = fsmount_create(&fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
				   NULL);
	return r;
}

static int empty_file(void)
{
	_cleanup_close_ int fd = -1, tree = -1;
	int r;

	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	tree = fsmount_clone(fd, false);
	if (tree < 0)
		return tree;
	r = fsmount_setattr(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, 0,
			    false);
	return r < 0 ? r : TAKE_FD(tree);
}

static int cover(int root_fd, const struct op *op)
{
	_cleanup_close_ int target = -1, tree = -1;
	struct stat st;
	int r;

	target = path_open_in_root(root_fd, op->path, O_PATH | O_CLOEXEC, 0);
	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return target;
	if (op->kind == OP_READONLY) {
		tree = fsmount_clone(target, true);
		if (tree < 0)
			return tree;
		r = fsmount_setattr(tree, MOUNT_ATTR_RDONLY, 0, 0, true);
		return r < 0 ? r : fsmount_attach(tree, target);
	}
	if (fstat(target, &st) < 0)
		return -errno;
	tree = S_ISDIR(st.st_mode) ? empty_directory() : empty_file();
	return tree < 0 ? tree : fsmount_attach(tree, target);
}

static int make_readonly(int root_fd, const char *path)
{
	_cleanup_close_ int fd = path_open_in_root(root_fd, path, O_PATH | O_CLOEXEC, 0);

	return fd < 0 ? fd : fsmount_setattr(fd, MOUNT_ATTR_RDONLY, 0, 0, false);
}

static int do_op(const struct plan *plan, int root_fd, const struct op *op, struct err *err)
{
	const char *what = op->path;
	int r = 0;

	switch (op->kind) {
	case OP_HOSTNAME:
		what = "hostname";
		r = sethostname(op->value, strlen(op->value)) < 0 ? -errno : 0;
		break;
	case OP_DOMAINNAME:
		what = "domainname";
		r = setdomainname(op->value, strlen(op->value)) < 0 ? -errno : 0;
		break;
	case OP_LOOPBACK:
		what = "the loopback interface";
		r = net_loopback_up();
		break;
	case OP_SYSCTL:
		return mount_sysctl(op->path, op->value, err);
	case OP_MOUNT:
		return do_mount(plan, root_fd, op, err);
	case OP_BIND:
		return do_bind(plan, root_fd, op, err);
	case OP_DEVICE:
		r = device_make(plan, root_fd, op);
		break;
	case OP_SYMLINK:
		r = make_link(root_fd, op);
		break;
	case OP_CWD:
		r = make_cwd(root_fd, op->path);
		break;
	case OP_MASK:
	case OP_READONLY:
		r = cover(root_fd, op);
		break;
	case OP_MOUNT_READONLY:
	case OP_PROPAGATION:
		break; /* mount_finish() */
	}
	return r < 0 ? err_set_errno(err, -r, "preparing %.128s", what) : 0;
}

int mount_execute(const struct plan *plan, int root_fd, struct err *err)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		int r = do_op(plan, root_fd, &plan->ops[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int mount_finish(const struct plan *plan, int root_fd, struct err *err)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct op *op = &plan->ops[i];
		int r;

		if (op->kind == OP_MOUNT_READONLY)
			r = make_readonly(root_fd, op->path);
		else if (op->kind == OP_PROPAGATION)
			r = fsmount_setattr(root_fd, 0, 0, op->propagation.flag,
					    op->propagation.recursive);
		else
			continue;
		if (r < 0)
			return err_set_errno(err, -r, "%.128s",
					     op->path ? op->path : "linux.rootfsPropagation");
	}
	return 0;
}

int mount_pivot(int root_fd, struct err *err)
{
	/* pivot_root(".", ".") stacks the old root over the new one, from where it is let go. */
	if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_set_errno(err, errno, "changing the root");
	return 0;
}
