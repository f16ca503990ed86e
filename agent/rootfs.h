/* SPDX-License-Identifier: Apache-2.0 */
/* The container's root file system: its base disk and the writable layer over it. */
#ifndef AGENT_ROOTFS_H
#define AGENT_ROOTFS_H

#include "agent.pb-c.h"
#include "common/err.h"

/* Where the agent's root has an empty directory for it, in every mount namespace made from it. */
#define ROOTFS_WORK "/run/rootfs"
/* Likewise, for the devices of a container that cannot make any itself. */
#define DEVICES_WORK "/run/devices"

/* Judges a request without touching anything. -EINVAL, -ENOSYS. */
int rootfs_check(const Agent__Rootfs *rootfs, struct err *err);

/*
 * Mounts rootfs, which rootfs_check() has passed, and returns it as a detached mount. Must run in a
 * mount namespace of its own, which keeps nothing that anybody else sees. May wait for a disk.
 */
int rootfs_mount(const Agent__Rootfs *rootfs, struct err *err);

/*
 * Replaces /etc/resolv.conf in a rootfs, given as a detached mount. One that cannot be written is
 * left as it is.
 */
int rootfs_write_resolv_conf(int rootfs_fd, const char *text, struct err *err);

#endif
