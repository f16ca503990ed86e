/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/record.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
	[RECORD_CREATED] = "created",
	[RECORD_RUNNING] = "running",
	[RECORD_STOPPED] = "stopped",
};
static_assert(ARRAY_SIZE(status_names) == RECORD_STOPPED + 1, "a name for each status");

/* The record as JSON has it; struct record is what the rest works with. */
struct raw {
	const char *id, *namespace, *name, *image, *status, *error;
	struct json_array args;
	struct json_uint created, started, exited, exit_status, shim_pid, vmm_pid;
	bool detached, remove;
};

#define FIELD(json, k, member, ...)                                                                \
	{                                                                                          \
		.name = (json), .kind = JSON_FIELD_##k, .offset = offsetof(struct raw, member),    \
		__VA_ARGS__                                                                        \
	}

static const struct json_field fields[] = {
	FIELD("id", STRING, id, .required = true),
	FIELD("namespace", STRING, namespace, .required = true),
	FIELD("name", STRING, name),
	FIELD("image", STRING, image),
	FIELD("args", STRINGS, args, .max_items = 8192),
	FIELD("status", STRING, status, .required = true),
	FIELD("error", STRING, error),
	FIELD("createdAtNs", UINT, created, .max = INT64_MAX),
	FIELD("startedAtNs", UINT, started, .max = INT64_MAX),
	FIELD("exitedAtNs", UINT, exited, .max = INT64_MAX),
	FIELD("exitStatus", UINT, exit_status, .max = 255),
	FIELD("detached", BOOL, detached),
	FIELD("remove", BOOL, remove),
	FIELD("shimPid", UINT, shim_pid, .max = INT32_MAX),
	FIELD("vmmPid", UINT, vmm_pid, .max = INT32_MAX),
};
static const struct json_object object = {
	.size = sizeof(struct raw),
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
};

const char *record_status_name(enum record_status status)
{
	return status_names[status];
}

static json_t *encode_args(const struct json_array *args)
{
	const char *const *items = args->items;
	json_t *array = json_array();

	/* An argument that is not UTF-8 has no JSON form; the record shows that there was one. */
	for (size_t i = 0; i < args->n; i++) {
		json_t *item = json_string(items[i]);

		json_array_append_new(array, item ? item : json_string("?"));
	}
	return array;
}

static void set_string(json_t *root, const char *name, const char *value)
{
	if (value)
		json_object_set_new(root, name, json_string(value));
}

static void set_number(json_t *root, const char *name, uint64_t value)
{
	if (value)
		json_object_set_new(root, name, json_integer((json_int_t)value));
}

int record_encode(const struct record *record, char **ret)
{
	json_t *root = json_object();
	char *text;

	set_string(root, "id", record->id);
	set_string(root, "namespace", record->namespace);
	set_string(root, "name", record->name);
	set_string(root, "image", record->image);
	json_object_set_new(root, "args", encode_args(&record->args));
	set_string(root, "status", status_names[record->status]);
	set_string(root, "error", record->error);
	set_number(root, "createdAtNs", record->created_ns);
	set_number(root, "startedAtNs", record->started_ns);
	set_number(root, "exitedAtNs", record->exited_ns);
	if (record->status == RECORD_STOPPED)
		json_object_set_new(root, "exitStatus", json_integer(record->exit_status));
	json_object_set_new(root, "detached", json_boolean(record->detached));
	json_object_set_new(root, "remove", json_boolean(record->remove));
	set_number(root, "shimPid", (uint64_t)record->shim_pid);
	set_number(root, "vmmPid", (uint64_t)record->vmm_pid);
	text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

static int take(const struct raw *raw, struct record *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_names); i++) {
		if (strcmp(raw->status, status_names[i]) != 0)
			continue;
		out->id = raw->id;
		out->namespace = raw->namespace;
		out->name = raw->name;
		out->image = raw->image;
		out->args = raw->args;
		out->error = raw->error;
		out->status = (enum record_status)i;
		out->created_ns = raw->created.v;
		out->started_ns = raw->started.v;
		out->exited_ns = raw->exited.v;
		out->exit_status = (uint32_t)raw->exit_status.v;
		out->detached = raw->detached;
		out->remove = raw->remove;
		out->shim_pid = (pid_t)raw->shim_pid.v;
		out->vmm_pid = (pid_t)raw->vmm_pid.v;
		return 0;
	}
	return err_set(err, EINVAL, "record.json: status: not known");
}

int record_parse(const char *text, size_t size, struct record *ret, struct err *err)
{
	struct record out = {0};
	struct raw raw;
	int r;

	if (size > RECORD_MAX_BYTES)
		return err_set(err, EFBIG, "record.json: too large");
	r = json_doc_parse(&out.doc, "record.json", text, size, err);
	if (r == 0)
		r = json_bind(&out.doc, &object, &raw, err);
	if (r == 0)
		r = take(&raw, &out, err);
	if (r < 0) {
		record_finish(&out);
		return r;
	}
	*ret = out;
	return 0;
}

void record_finish(struct record *record)
{
	json_doc_finish(&record->doc);
	*record = (struct record){0};
}
