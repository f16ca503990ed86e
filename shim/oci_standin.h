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

/* One that has been made. STANDIN_CHILD_INIT is none. */
struct standin_child {
	pid_t pid;
	int fd; /* our end of what we say to each other; -1: none */
};

#define STANDIN_CHILD_INIT                                                                         \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Makes it, connected to the shim, as the child of whoever reaps our children once we exit. It ends where
 * we do before standin_go().
 */
int standin_start(const struct standin *standin, struct standin_child *ret, struct err *err);

/* The process is in the guest: returns once the stand-in waits for its end. It is ended on failure. */
int standin_go(struct standin_child *child, struct err *err);

/* Ends one that was not told to go. */
void standin_abandon(struct standin_child *child);

#endif
