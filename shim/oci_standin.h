/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stand-in: one process of the host for one process in the guest, which the caller of sbx-oci can
 * wait for, signal, and find in a cgroup.
 */
#ifndef SHIM_OCI_STANDIN_H
#define SHIM_OCI_STANDIN_H

#include <sys/types.h>

#include "common/err.h"
#include "shim/spec.h"

struct oci;

struct standin {
	const struct oci *oci;
	const char *pod, *id, *exec_id; /* exec_id "": the container's own process */
	const char *bundle, *rootfs;    /* the host's */
	const struct spec *spec;        /* the container's; its bind mounts are shown. NULL: none */
	int terminal;                   /* whose size the guest's follows; -1: none */
};

/*
 * Returns once it waits for the process's end, which must exist in the guest. It becomes the child of
 * whoever reaps our children once we exit.
 */
int standin_start(const struct standin *standin, pid_t *ret_pid, struct err *err);

#endif
