/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespace paths of a container's spec, which name namespaces of the host, made into what they mean in
 * the guest. Pure.
 */
#ifndef SHIM_NAMESPACE_H
#define SHIM_NAMESPACE_H

#include <sys/types.h>

#include "common/err.h"

/*
 * A spec_namespace_fn: data is a pid_t, the process that stands for all the pod's on the host (what
 * State answers), or 0. Its namespaces, /proc/PID/ns/TYPE, are the pod's; all others are the host's,
 * which no container gets.
 */
int namespace_resolve(const char *type, const char *path, const char **ret, void *data,
		      struct err *err);

#endif
