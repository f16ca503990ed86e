/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the rootfs mounts of a Create request to disks of the VM and what the agent mounts of them,
 * or to a directory that is shared.
 * The planner is pure.
 */
#ifndef SHIM_ROOTFS_H
#define SHIM_ROOTFS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.pb-c.h"
#include "common/err.h"
#include "task.pb-c.h"

#define ROOTFS_MAX_OPTIONS 8

/* Strings are the request's. */
struct rootfs_plan {
	const char *image; /* the file or device behind the base's disk; NULL: a directory */
	bool writable;     /* the image is the whole root file system and may be written to */
	bool mounted;      /* the directory is what the host mounts by the request's mounts */
	const char *fstype;
	char *options[ROOTFS_MAX_OPTIONS];
	size_t n_options;
	bool overlay; /* a writable layer in guest memory */
	uint64_t overlay_size;
};

/*
 * An EROFS or ext4 file or device, the first only read-only; then at most one sbx-scratch with
 * size=BYTES. No mount at all: the directory that the bundle names. All else: mounts for the host.
 */
int rootfs_plan(Task__Mount *const *mounts, size_t n_mounts, struct rootfs_plan *ret,
		struct err *err);

/* The agent's message, made of ret's parts; the base is in slot or the share of that name. */
struct rootfs_message {
	Agent__Rootfs rootfs;
	Agent__Volume base;
	Agent__Overlay overlay;
};

void rootfs_message_fill(const struct rootfs_plan *plan, uint32_t slot, const char *share,
			 struct rootfs_message *ret);

#endif
