/* SPDX-License-Identifier: Apache-2.0 */
/* The container's root as the host has it, as the root of a mount namespace. */
#ifndef SHIM_OCI_ROOT_H
#define SHIM_OCI_ROOT_H

#include "common/err.h"
#include "shim/spec.h"

/*
 * In a mount namespace of its own, the caller gets rootfs as its root, with spec's bind mounts in it
 * and, where it has the directory, a /proc of the pid namespace. Sources are relative to bundle. Nothing
 * else is reachable from then on. spec NULL: no bind mounts.
 */
int oci_root_enter(const struct spec *spec, const char *bundle, const char *rootfs,
		   struct err *err);

#endif
