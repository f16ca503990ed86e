/* SPDX-License-Identifier: Apache-2.0 */
/* What those who execute a plan's operations (mount.c, device.c) share. */
#ifndef AGENT_MOUNT_INTERNAL_H
#define AGENT_MOUNT_INTERNAL_H

struct fsmount;
struct mount_options;

/*
 * Opens the directory that path's last component is or shall be in, made where there is none, and
 * finds that component. Returns the descriptor or -errno.
 */
int mount_open_parent(int root_fd, const char *path, const char **ret_name);

/* Opens op's file system with its source and its own options; fs is the caller's to close. */
int mount_begin(struct fsmount *fs, const struct op *op, struct err *err);

/* Idmaps a detached mount, where op says so. */
int mount_idmap(int mount_fd, const struct op *op, struct err *err);

/* Opens what a bind is of, O_PATH: a share's root or a volume's directory. */
int mount_open_source(const struct op *op, struct err *err);

/* What options say of the mount itself and of those beneath it. */
int mount_set_attributes(int mount_fd, const struct mount_options *options);

/* Whether mount_prepare() has made op's mount, and what it is a mount of. */
bool mount_is_prepared(const struct plan *plan, const struct op *op);
int mount_open_prepared(const struct plan *plan, const struct op *op, struct err *err);

#endif
