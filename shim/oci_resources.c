/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_resources.h"

#include <errno.h>
#include <stddef.h>

#include "common/cleanup.h"
#include "common/opts.h"

enum kind { NUMBER, SIZE, STRING };

static const struct row {
	const char *option, *object, *member;
	enum kind kind;
	size_t offset;
} rows[] = {
#define ROW(name, object, member, kind, field)                                                     \
	{                                                                                          \
		name, object, member, kind, offsetof(struct oci_resource_options, field)           \
	}
	ROW("blkio-weight", "blockIO", "weight", NUMBER, blkio_weight),
	ROW("cpu-period", "cpu", "period", NUMBER, cpu_period),
	ROW("cpu-quota", "cpu", "quota", NUMBER, cpu_quota),
	ROW("cpu-burst", "cpu", "burst", NUMBER, cpu_burst),
	ROW("cpu-share", "cpu", "shares", NUMBER, cpu_share),
	ROW("cpu-idle", "cpu", "idle", NUMBER, cpu_idle),
	ROW("cpuset-cpus", "cpu", "cpus", STRING, cpuset_cpus),
	ROW("cpuset-mems", "cpu", "mems", STRING, cpuset_mems),
	ROW("memory", "memory", "limit", SIZE, memory),
	ROW("memory-swap", "memory", "swap", SIZE, memory_swap),
	ROW("memory-reservation", "memory", "reservation", SIZE, memory_reservation),
	ROW("pids-limit", "pids", "limit", NUMBER, pids_limit),
#undef ROW
};

/* -1 means no limit, where a number is one. */
static json_t *value_of(const struct row *row, const char *text)
{
	bool negative = text[0] == '-';
	uint64_t v;
	int r;

	if (row->kind == STRING)
		return json_string(text);
	r = row->kind == SIZE && !negative ? parse_size(text, &v) : parse_uint(text + negative, &v);
	if (r < 0 || v > INT64_MAX)
		return NULL;
	return json_integer(negative ? -(json_int_t)v : (json_int_t)v);
}

int oci_resources_build(const struct oci_resource_options *options, json_t **ret, struct err *err)
{
	json_t *root = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = *(const char *const *)((const char *)options + rows[i].offset);
		json_t *object = json_object_get(root, rows[i].object), *value;

		if (!text)
			continue;
		value = value_of(&rows[i], text);
		if (!value) {
			json_decref(root);
			return err_set(err, EINVAL, "--%s: '%.80s' is not a number it can be",
				       rows[i].option, text);
		}
		if (!object) {
			object = json_object();
			json_object_set_new(root, rows[i].object, object);
		}
		json_object_set_new(object, rows[i].member, value);
	}
	if (json_object_size(root) == 0) {
		json_decref(root);
		return err_set(err, EINVAL, "update: nothing to change was given");
	}
	*ret = root;
	return 0;
}
