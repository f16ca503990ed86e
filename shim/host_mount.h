/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts that containerd's snapshotters ask for (overlay, bind and whatever else the host's kernel
 * knows), made on the host, for a moment: as soon as they are shared, a clone of them is all that is
 * needed. The options' parser is pure.
 *
 * Options have a page, and fifty layers of an image fill it with the same long name of a directory fifty
 * times. Where they would not fit, layers are named from there, and so the mount is made there.
 */
#ifndef SHIM_HOST_MOUNT_H
#define SHIM_HOST_MOUNT_H

#include <stddef.h>

#include "common/err.h"
#include "task.pb-c.h"

struct host_mount_options {
	unsigned long flags; /* MS_* */
	char data[4096];     /* what is left, for the file system */
	char cwd[4096];      /* where data's lowerdir is relative to; "": it is absolute */
};

/* mount(8)'s words, as containerd writes them. -E2BIG where data does not fit a page in any way. */
int host_mount_parse(char *const *options, size_t n, struct host_mount_options *ret,
		     struct err *err);

/* Mounts all of them, each over the one before, at target, which is made where it is missing. */
int host_mount_all(Task__Mount *const *mounts, size_t n, const char *target, struct err *err);
/* Takes n of them off again. */
void host_mount_undo(size_t n, const char *target);

#endif
