/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/group.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

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

static int choose(const char *text, const char *key, char ret[POD_ID_MAX + 1], struct err *err)
{
	if (!pod_id_is_valid(text))
		return err_set(err, EINVAL, "config.json: annotation %s: not a valid id", key);
	snprintf(ret, POD_ID_MAX + 1, "%s", text);
	return 0;
}

int group_of(const char *config, size_t size, const char *id, char ret[POD_ID_MAX + 1],
	     struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(config, size, JSON_REJECT_DUPLICATES, &error), *annotations;
	const char *text = NULL;
	int r = 0;

	if (!root)
		return err_set(err, EINVAL, "config.json: line %d: %s", error.line, error.text);
	annotations = json_object_get(root, "annotations");
	snprintf(ret, POD_ID_MAX + 1, "%s", id);
	for (size_t i = 0; i < ARRAY_SIZE(group_keys) && !text; i++) {
		text = json_string_value(json_object_get(annotations, group_keys[i]));
		if (text)
			r = choose(text, group_keys[i], ret, err);
	}
	json_decref(root);
	return r;
}

int group_of_spec(const struct spec *spec, const char *id, char ret[POD_ID_MAX + 1],
		  struct err *err)
{
	snprintf(ret, POD_ID_MAX + 1, "%s", id);
	for (size_t i = 0; i < ARRAY_SIZE(group_keys); i++) {
		const char *text = spec_annotation(spec, group_keys[i]);

		if (text)
			return choose(text, group_keys[i], ret, err);
	}
	return 0;
}

bool group_is_named(const struct spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(group_keys); i++)
		if (spec_annotation(spec, group_keys[i]))
			return true;
	return false;
}

bool group_is_cri(const struct spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_keys); i++)
		if (spec_annotation(spec, type_keys[i]))
			return true;
	return false;
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

const char *group_hostname(const struct spec *spec, const char *id, struct utsname *host)
{
	const char *name = spec->config.hostname;

	if (name && name[0])
		return name;
	return group_is_sandbox(spec) && uname(host) == 0 && host->nodename[0] ? host->nodename
									       : id;
}
