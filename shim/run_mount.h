/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -v, --mount and --tmpfs of `sbx run`, as people know them from docker, turned into mounts of config.json.
 * Pure.
 */
#ifndef SHIM_RUN_MOUNT_H
#define SHIM_RUN_MOUNT_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "common/err.h"

#define RUN_MOUNT_MAX_OPTIONS 16

struct run_options;

struct run_mount {
	bool tmpfs; /* otherwise a bind */
	char source[PATH_MAX], target[PATH_MAX];
	char options[RUN_MOUNT_MAX_OPTIONS][64];
	size_t n_options;
};

/* "SRC:DST[:OPTION,OPTION…]"; SRC is a path, absolute or beginning with a dot. -EINVAL, one line. */
int run_mount_parse_volume(const char *text, struct run_mount *ret, struct err *err);

/* "type=bind|tmpfs,source=…,target=…[,readonly]…". -EINVAL, one line. */
int run_mount_parse(const char *text, struct run_mount *ret, struct err *err);

/*
 * Appends all of the options' to config.json's mounts, in their order, but those nearer to the root first. cwd:
 * what a relative source is relative to; NULL: nobody knows. -EINVAL: not UTF-8; -ENOENT: relative to nothing.
 */
int run_mount_add_all(const struct run_options *options, const char *cwd, json_t *mounts,
		      struct err *err);

#endif
