/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespace paths of a container's spec, which name namespaces of the host, made into what they mean in
 * the guest. Pure.
 */
#ifndef SHIM_NAMESPACE_H
#define SHIM_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Whether path is /proc/PID/ns/TYPE of the process that stands for all the pod's on the host. */
bool namespace_is_of(pid_t pid, const char *type, const char *path);

/*
 * A spec_namespace_fn: data is a pid_t, the process that stands for all the pod's on the host (what
 * State answers), or 0. Its namespaces are the pod's, and so is any network namespace: the pod is
 * joined to it, or refuses it, elsewhere. All others are the host's, which no container gets.
 */
int namespace_resolve(const char *type, const char *path, const char **ret, void *data,
		      struct err *err);

#endif
