/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fsmount.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "agent/options.h"

/* The kernel's own words lie in the context's log, "e tmpfs: Bad value for 'size'", if any. */
static int fail(struct fsmount *fs, int code, const char *what, const char *key, struct err *err)
{
	char text[256];
	ssize_t n = fs->fd >= 0 ? read(fs->fd, text, sizeof(text) - 1) : -1;

	if (n > 2 && (text[0] == 'e' || text[0] == 'w')) {
		text[n] = 0;
		text[strcspn(text, "\n")] = 0;
		return err_set(err, code, "%s%s: %s: %s", what, key, text + 2, strerror(code));
	}
	return err_set_errno(err, code, "%s%s (%s)", what, key, fs->type);
}

int fsmount_open(struct fsmount *fs, const char *type, struct err *err)
{
	fs->type = type;
	fs->fd = fsopen(type, FSOPEN_CLOEXEC);
	if (fs->fd < 0)
		return fail(fs, errno, "file system ", type, err);
	return 0;
}

int fsmount_set(struct fsmount *fs, const char *key, const char *value, struct err *err)
{
	if (fsconfig(fs->fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
		return fail(fs, errno, "option ", key, err);
	return 0;
}

int fsmount_set_data(struct fsmount *fs, const struct mount_options *options, struct err *err)
{
	for (size_t i = 0; i < options->n_data; i++) {
		char key[OPTIONS_MAX_LEN + 1];
		char *value;
		int r;

		snprintf(key, sizeof(key), "%s", options->data[i]);
		value = strchr(key, '=');
		if (value)
			*value++ = 0;
		/* A second source would make another disk than the slot's the root. */
		if (!strcmp(key, "source"))
			return err_set(err, EINVAL, "source is not a mount option");
		r = fsmount_set(fs, key, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int fsmount_create(struct fsmount *fs, uint64_t attrs, struct err *err)
{
	int fd;

	if (fsconfig(fs->fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(fs, errno, "mounting ", fs->type, err);
	fd = fsmount(fs->fd, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	if (fd < 0)
		return fail(fs, errno, "mounting ", fs->type, err);
	return fd;
}

void fsmount_close(struct fsmount *fs)
{
	close_fd(&fs->fd);
}

int fsmount_attach(int mount_fd, int target_fd)
{
	int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	return move_mount(mount_fd, "", target_fd, "", (unsigned int)flags) < 0 ? -errno : 0;
}

int fsmount_clone(int fd, bool recursive)
{
	int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int tree = open_tree(fd, "", (unsigned int)(flags | (recursive ? AT_RECURSIVE : 0)));

	return tree < 0 ? -errno : tree;
}

int fsmount_setattr(int fd, uint64_t set, uint64_t clr, uint64_t propagation, bool recursive)
{
	struct mount_attr attr = {.attr_set = set, .attr_clr = clr, .propagation = propagation};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	if (!set && !clr && !propagation)
		return 0;
	return mount_setattr(fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int fsmount_idmap(int fd, int userns_fd, bool recursive)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)userns_fd,
	};
	unsigned int flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return mount_setattr(fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}
