/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/group.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "shim/json_bind.h"
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
	annotations = json_member(root, "annotations");
	snprintf(ret, POD_ID_MAX + 1, "%s", id);
	for (size_t i = 0; i < ARRAY_SIZE(group_keys) && !text; i++) {
		text = json_string_value(json_object_get(annotations, group_keys[i]));
		if (text)
			r = choose(text, group_keys[i], ret, err);
	}
	json_decref(root);
	return r;
}

/* The first of the keys that there is an annotation of; NULL: none. */
static const char *find_key(const struct spec *spec, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (spec_annotation(spec, keys[i]))
			return keys[i];
	return NULL;
}

int group_of_spec(const struct spec *spec, const char *id, char ret[POD_ID_MAX + 1],
		  struct err *err)
{
	const char *key = find_key(spec, group_keys, ARRAY_SIZE(group_keys));

	snprintf(ret, POD_ID_MAX + 1, "%s", id);
	return key ? choose(spec_annotation(spec, key), key, ret, err) : 0;
}

bool group_is_named(const struct spec *spec)
{
	return find_key(spec, group_keys, ARRAY_SIZE(group_keys)) != NULL;
}

bool group_is_cri(const struct spec *spec)
{
	return find_key(spec, type_keys, ARRAY_SIZE(type_keys)) != NULL;
}

bool group_is_sandbox(const struct spec *spec)
{
	const char *key = find_key(spec, type_keys, ARRAY_SIZE(type_keys));

	return key && strcmp(spec_annotation(spec, key), "sandbox") == 0;
}

const char *group_hostname(const struct spec *spec, const char *id, struct utsname *host)
{
	const char *name = spec->config.hostname;

	if (name && name[0])
		return name;
	return group_is_sandbox(spec) && uname(host) == 0 && host->nodename[0] ? host->nodename
									       : id;
}
