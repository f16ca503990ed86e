/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespace paths of a container's spec, which name namespaces of the host, made into what they mean in
 * the guest. Pure.
 *
 * Two kinds of processes of the host stand for what is in the guest: the VM's monitor for the pod, whose
 * pid containerd is told, and for one container the stand-in that sbx-oci makes (oci_standin.h).
 */
#ifndef SHIM_NAMESPACE_H
#define SHIM_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

struct namespace_scope {
	pid_t pod; /* stands for all of the pod; 0: nobody does yet */
	/* The id of the container that pid stands for, "" where that is the pod; NULL: for none. */
	const char *(*find)(pid_t pid, void *data);
	void *data;
};

/* The process whose namespace of that type path is, /proc/PID/ns/TYPE; 0: path is of another form. */
pid_t namespace_owner(const char *type, const char *path);

/* Whether path is a namespace of a process that stands for the pod or for a container of it. */
bool namespace_is_in(const struct namespace_scope *scope, const char *type, const char *path);

/*
 * A spec_namespace_fn: data is a struct namespace_scope. Any network namespace is the pod's: the pod
 * is joined to it, or refuses it, elsewhere. All others that nothing of the pod's has are the host's,
 * which no container gets.
 */
int namespace_resolve(const char *type, const char *path, const char **ret, void *data,
		      struct err *err);

#endif
