/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/oci_log.h"

/* The record as JSON has it. */
struct raw {
	const char *oci_version, *id, *bundle, *rootfs, *pod, *cgroups_path;
	struct json_array annotations;
	struct json_uint created, pid, pid_started;
};

#define FIELD(json, k, member, ...)                                                                \
	{                                                                                          \
		.name = (json), .kind = JSON_FIELD_##k, .offset = offsetof(struct raw, member),    \
		__VA_ARGS__                                                                        \
	}

static const struct json_field fields[] = {
	FIELD("ociVersion", STRING, oci_version, .required = true),
	FIELD("id", STRING, id, .required = true),
	FIELD("bundle", STRING, bundle, .required = true),
	FIELD("rootfs", STRING, rootfs, .required = true),
	FIELD("pod", STRING, pod, .required = true),
	FIELD("cgroupsPath", STRING, cgroups_path),
	FIELD("annotations", MAP, annotations),
	FIELD("createdAtNs", UINT, created, .max = INT64_MAX),
	FIELD("pid", UINT, pid, .max = INT32_MAX),
	FIELD("pidStarted", UINT, pid_started, .max = INT64_MAX),
};
static const struct json_object object = {
	.size = sizeof(struct raw),
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
};

static json_t *encode_annotations(const struct json_array *annotations)
{
	const struct json_pair *pairs = annotations->items;
	json_t *map = json_object();

	for (size_t i = 0; i < annotations->n; i++)
		json_object_set_new(map, pairs[i].key, json_string(pairs[i].value));
	return map;
}

int oci_record_encode(const struct oci_record *record, char **ret)
{
	json_t *root = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:I,s:I,s:I}", "ociVersion",
				 record->oci_version, "id", record->id, "bundle", record->bundle,
				 "rootfs", record->rootfs, "pod", record->pod, "annotations",
				 encode_annotations(&record->annotations), "createdAtNs",
				 (json_int_t)record->created_ns, "pid", (json_int_t)record->pid,
				 "pidStarted", (json_int_t)record->pid_started);
	char *text = NULL;

	if (!root)
		return -EINVAL;
	if (record->cgroups_path)
		json_object_set_new(root, "cgroupsPath", json_string(record->cgroups_path));
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int oci_record_parse(const char *text, size_t size, struct oci_record *ret, struct err *err)
{
	struct oci_record record = {0};
	struct raw raw = {0};
	int r = json_doc_parse(&record.doc, "state.json", text, size, err);

	if (r == 0)
		r = json_bind(&record.doc, &object, &raw, err);
	if (r < 0) {
		json_doc_finish(&record.doc);
		return r;
	}
	record.oci_version = raw.oci_version;
	record.id = raw.id;
	record.bundle = raw.bundle;
	record.rootfs = raw.rootfs;
	record.pod = raw.pod;
	record.cgroups_path = raw.cgroups_path;
	record.annotations = raw.annotations;
	record.created_ns = raw.created.v;
	record.pid = (pid_t)raw.pid.v;
	record.pid_started = raw.pid_started.v;
	*ret = record;
	return 0;
}

void oci_record_finish(struct oci_record *record)
{
	json_doc_finish(&record->doc);
}

json_t *oci_record_state(const struct oci_record *record, const char *status)
{
	const struct timespec at = {
		.tv_sec = (time_t)(record->created_ns / 1000000000u),
		.tv_nsec = (long)(record->created_ns % 1000000000u),
	};
	bool runs = strcmp(status, "stopped") != 0;
	char created[40];

	oci_format_time(&at, created);
	return json_pack("{s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:o,s:s}", "ociVersion", record->oci_version,
			 "id", record->id, "pid", runs ? (int)record->pid : 0, "status", status,
			 "bundle", record->bundle, "rootfs", record->rootfs, "created", created,
			 "annotations", encode_annotations(&record->annotations), "owner", "");
}

int parse_start_time(const char *stat, uint64_t *ret)
{
	const char *at = strrchr(stat, ')');
	char *end;

	/* What follows the name is field 3. */
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || at[1] < '0' || at[1] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(at + 1, &end, 10);
	return errno || *end != ' ' ? -EINVAL : 0;
}
