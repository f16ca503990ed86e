/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sbx-oci keeps of a container between its calls, and what `state` prints of it. Everything that
 * may change is the shim's to tell. Pure.
 */
#ifndef SHIM_OCI_RECORD_H
#define SHIM_OCI_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "shim/json_bind.h"

#define OCI_RECORD_MAX_BYTES (4u << 20)

/* Strings are borrowed: from doc after oci_record_parse(), else from whoever filled it. */
struct oci_record {
	struct json_doc doc;
	const char *oci_version, *id, *bundle, *rootfs;
	const char *pod;          /* whose shim has it */
	const char *cgroups_path; /* where the stand-in is on the host; NULL: nowhere special */
	struct json_array annotations; /* of struct json_pair */
	uint64_t created_ns;           /* CLOCK_REALTIME */
	pid_t pid;                     /* of the stand-in; 0: the container is being created */
	uint64_t pid_started;          /* as /proc/PID/stat has it: pids come again */
};

/* The JSON text, which the caller frees. -EINVAL where it holds what is not UTF-8. */
int oci_record_encode(const struct oci_record *record, char **ret);
int oci_record_parse(const char *text, size_t size, struct oci_record *ret, struct err *err);
/* Frees what oci_record_parse() made; fine on any zeroed record. */
void oci_record_finish(struct oci_record *record);

#define _cleanup_oci_record_ __attribute__((cleanup(oci_record_finish)))

/* The runtime-spec's state with runc's additions; a stopped container has no pid. */
json_t *oci_record_state(const struct oci_record *record, const char *status);

/* Field 22 of /proc/PID/stat; the name before it may hold anything. */
int parse_start_time(const char *stat, uint64_t *ret);

#endif
