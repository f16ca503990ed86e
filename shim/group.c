/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/group.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/spec.h"

/* In the order in which they win. */
static const char *const group_keys[] = {
	"io.containerd.runc.v2.group",
	"io.kubernetes.cri.sandbox-id",
	"io.kubernetes.cri-o.SandboxID",
	"sbx.pod",
};

static const char *const type_keys[] = {
	"io.kubernetes.cri.container-type",
	"io.kubernetes.cri-o.ContainerType",
};

int group_of(const char *config, size_t size, const char *id, char ret[POD_ID_MAX + 1],
	     struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(config, size, JSON_REJECT_DUPLICATES, &error), *annotations;
	const char *group = id;
	int r = 0;

	if (!root)
		return err_set(err, EINVAL, "config.json: line %d: %s", error.line, error.text);
	annotations = json_object_get(root, "annotations");
	for (size_t i = 0; i < ARRAY_SIZE(group_keys); i++) {
		const char *text = json_string_value(json_object_get(annotations, group_keys[i]));

		if (!text)
			continue;
		group = text;
		if (!pod_id_is_valid(text))
			r = err_set(err, EINVAL, "config.json: annotation %s: not a valid id",
				    group_keys[i]);
		break;
	}
	if (r == 0)
		snprintf(ret, POD_ID_MAX + 1, "%s", group);
	json_decref(root);
	return r;
}

bool group_is_sandbox(const struct spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_keys); i++) {
		const char *type = spec_annotation(spec, type_keys[i]);

		if (type)
			return strcmp(type, "sandbox") == 0;
	}
	return false;
}
