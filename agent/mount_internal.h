/* SPDX-License-Identifier: Apache-2.0 */
/* What those who execute a plan's operations (mount.c, device.c) share. */
#ifndef AGENT_MOUNT_INTERNAL_H
#define AGENT_MOUNT_INTERNAL_H

/*
 * Opens the directory that path's last component is or shall be in, made where there is none, and
 * finds that component. Returns the descriptor or -errno.
 */
int mount_open_parent(int root_fd, const char *path, const char **ret_name);

#endif
