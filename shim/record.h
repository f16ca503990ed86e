/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run's record: what is known of a pod while it lives, and what stays of it until `sbx rm`. Kept
 * as record.json in the pod's directory. The codec is pure.
 */
#ifndef SHIM_RECORD_H
#define SHIM_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/json_bind.h"

#define RECORD_MAX_BYTES (4u << 20)

enum record_status { RECORD_CREATED, RECORD_RUNNING, RECORD_STOPPED };

/* Strings are borrowed: from doc after record_parse(), else from whoever filled it. */
struct record {
	struct json_doc doc;
	const char *id, *namespace, *name, *image;
	struct json_array args; /* of strings */
	const char *error;      /* why the run failed, for people; NULL: it did not */
	enum record_status status;
	uint64_t created_ns, started_ns, exited_ns; /* CLOCK_REALTIME; 0: not yet */
	uint32_t exit_status;
	bool detached; /* its output went to stdout.log and stderr.log */
	bool remove;   /* --rm */
	pid_t shim_pid, vmm_pid;
};

const char *record_status_name(enum record_status status);

/* The JSON text, which the caller frees. */
int record_encode(const struct record *record, char **ret);
int record_parse(const char *text, size_t size, struct record *ret, struct err *err);
/* Frees what record_parse() made; fine on any zeroed record. */
void record_finish(struct record *record);

#define _cleanup_record_ __attribute__((cleanup(record_finish)))

#endif
