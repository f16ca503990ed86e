/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file system being mounted with the kernel's fsopen(2) family. The result is a detached mount
 * as a descriptor, attached with fsmount_attach() onto a descriptor: no path is walked twice. What
 * the kernel says about a failure becomes the error's text.
 */
#ifndef AGENT_FSMOUNT_H
#define AGENT_FSMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"

struct mount_options;

struct fsmount {
	int fd;
	const char *type;
};

#define FSMOUNT_INIT                                                                               \
	{                                                                                          \
		.fd = -1                                                                           \
	}

int fsmount_open(struct fsmount *fs, const char *type, struct err *err);
/* value NULL: a flag. */
int fsmount_set(struct fsmount *fs, const char *key, const char *value, struct err *err);
/* What options_parse() left for the file system. */
int fsmount_set_data(struct fsmount *fs, const struct mount_options *options, struct err *err);
/* Returns the detached mount. */
int fsmount_create(struct fsmount *fs, uint64_t attrs, struct err *err);
void fsmount_close(struct fsmount *fs);
#define _cleanup_fsmount_ __attribute__((cleanup(fsmount_close)))

/* Puts the detached mount_fd over what target_fd (O_PATH) refers to. Returns 0 or -errno. */
int fsmount_attach(int mount_fd, int target_fd);

/* A detached bind mount of what fd refers to. Returns it or -errno. */
int fsmount_clone(int fd, bool recursive);

/* Idmaps the detached mount fd by a user namespace. */
int fsmount_idmap(int fd, int userns_fd, bool recursive);

/* mount_setattr(2) on the mount fd refers to. Nothing to change is no call. */
int fsmount_setattr(int fd, uint64_t set, uint64_t clr, uint64_t propagation, bool recursive);

#endif
