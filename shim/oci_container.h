/* SPDX-License-Identifier: Apache-2.0 */
/* A container as the verbs see it: its record, its shim where that lives, and how it is. */
#ifndef SHIM_OCI_CONTAINER_H
#define SHIM_OCI_CONTAINER_H

#include <stdbool.h>

#include "shim/cli_pod.h"
#include "shim/oci.h"
#include "shim/oci_record.h"
#include "task.pb-c.h"

struct oci_container {
	struct oci_record record;
	struct cli_shim shim; /* conn NULL: it has ended, or does not know of the container */
	Task__Status status;
	bool creating; /* somebody is at it */
};

/* Finds a container of oci's root; -ENOENT. One without a shim is STOPPED. */
int oci_container_open(const struct oci *oci, const char *id, struct oci_container *ret,
		       struct err *err);
/* The same once it has been created, or that has failed; -EBUSY. */
int oci_container_open_made(const struct oci *oci, const char *id, struct oci_container *ret,
			    struct err *err);
/* The same, and -ESRCH with "container X is not running" where that is so; created counts. */
int oci_container_open_running(const struct oci *oci, const char *id, struct oci_container *ret,
			       struct err *err);
void oci_container_close(struct oci_container *container);

#define _cleanup_oci_container_ __attribute__((cleanup(oci_container_close)))

/* "creating", "created", "running", "paused" or "stopped" */
const char *oci_container_status(const struct oci_container *container);

/*
 * Runs the program of a created container. Here as in the deletion, hooks of the host that fail afterwards are
 * warnings.
 */
int oci_container_start(const struct oci *oci, struct cli_shim *shim, const char *id,
			struct err *err);
/* Ends what may still be of it, in the guest and on the host; the container's id is free again. */
int oci_container_delete(const struct oci *oci, struct oci_container *container, struct err *err);

/* Writes pid in decimal, replacing the file in one step. path NULL: nothing. */
int oci_write_pid_file(const char *path, pid_t pid, struct err *err);

#endif
