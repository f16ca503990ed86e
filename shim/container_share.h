/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files and folders of the host that a container sees: what its mounts bind, and its root file
 * system where that is a directory. Opened with the container, shared before the guest hears of it,
 * taken back with its end.
 */
#ifndef SHIM_CONTAINER_SHARE_H
#define SHIM_CONTAINER_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct container;

struct container_share {
	char *name;
	int fd; /* until it is shared */
	bool readonly, recursive, added;
};

struct container_shares {
	struct container_share *items;
	size_t n, pending;
	const char *rootfs; /* the name of the one that is the root file system, or NULL */
	struct err err;     /* the first that went wrong */
};

/* By the container's spec and, with rootfs, its bundle. */
int container_shares_open(struct container *container, bool rootfs, struct err *err);

/*
 * Shares them; container_shared() is called when that is done, at once where there is nothing to do.
 * An error is in container->shares.err.
 */
void container_shares_add(struct container *container);
void container_shared(struct container *container);

/* Takes them back and frees. */
void container_shares_finish(struct container *container);

#endif
