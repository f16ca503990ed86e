/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's cgroup around a pod's VM, where its first container's spec says (linux.cgroupsPath): so
 * what the kubelet grants a pod bounds all of it, guest and monitor. On v1, v2 and hybrid hosts.
 */
#ifndef SHIM_HOST_CGROUP_H
#define SHIM_HOST_CGROUP_H

#include <limits.h>
#include <sys/types.h>

#include "common/err.h"

/*
 * The path beneath each hierarchy, "/a/b", of a cgroupsPath: itself, or of systemd's form,
 * "SLICE:PREFIX:NAME", the scope beneath its slices. Pure. -EINVAL.
 */
int host_cgroup_path(const char *cgroups_path, char ret[PATH_MAX], struct err *err);

/*
 * -EBUSY where the group exists and is frozen, which nothing that enters it survives, or has processes of
 * somebody's: its limits and its end are theirs.
 */
int host_cgroup_check_free(const char *path, struct err *err);

/* Makes the group where it is missing and moves the process into it. */
int host_cgroup_enter(const char *path, pid_t pid, struct err *err);

/* Removes the group, which must be empty or become so at once. What is not there is fine. */
void host_cgroup_remove(const char *path);

#endif
