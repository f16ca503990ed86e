/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -v and --mount of `sbx run`, as people know them from docker, turned into mounts of config.json.
 * Pure.
 */
#ifndef SHIM_RUN_MOUNT_H
#define SHIM_RUN_MOUNT_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "common/err.h"

#define RUN_MOUNT_MAX_OPTIONS 16

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

/* An object of config.json's mounts. cwd: what a relative source is relative to. */
json_t *run_mount_build(const struct run_mount *mount, const char *cwd);

#endif
