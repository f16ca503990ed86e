/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/pod_spec.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/budget.h"
#include "common/cleanup.h"
#include "shim/json_bind.h"
#include "shim/spec.h"

#define CRI            "io.kubernetes.cri."
#define OPTIONS_BUDGET (1u << 20)

static void json_decref_p(json_t **root)
{
	json_decref(*root);
}

/* root[key], made where it is missing. NULL: it is there and is something else, or no memory. */
static json_t *object_in(json_t *root, const char *key)
{
	json_t *object = json_member(root, key);

	if (!object && json_object_set_new(root, key, json_object()) == 0)
		object = json_object_get(root, key);
	return json_is_object(object) ? object : NULL;
}

/* What is not UTF-8, jansson refuses; and so do we. */
static int put(json_t *object, const char *key, const char *value, struct err *err)
{
	if (json_object_set_new(object, key, json_string(value)) < 0)
		return err_set(err, EINVAL, "sandbox: %.64s: not text", key);
	return 0;
}

static int put_pairs(json_t *object, Pod__KeyValue *const *pairs, size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = put(object, pairs[i]->key, pairs[i]->value, err);
	return r;
}

/* CRI's container would have it so; what is not limited is not there. */
static int put_number(json_t *annotations, const char *key, int64_t v, struct err *err)
{
	char text[24];

	json_object_del(annotations, key);
	if (v <= 0)
		return 0;
	snprintf(text, sizeof(text), "%" PRId64, v);
	return put(annotations, key, text, err);
}

static int put_resources(json_t *annotations, const Pod__LinuxContainerResources *resources,
			 struct err *err)
{
	static const Pod__LinuxContainerResources none = POD__LINUX_CONTAINER_RESOURCES__INIT;
	int r;

	if (!resources)
		resources = &none;
	r = put_number(annotations, CRI "sandbox-memory", resources->memory_limit_in_bytes, err);
	if (r == 0)
		r = put_number(annotations, CRI "sandbox-cpu-quota", resources->cpu_quota, err);
	if (r == 0)
		r = put_number(annotations, CRI "sandbox-cpu-period", resources->cpu_period, err);
	return r < 0 ? r
		     : put_number(annotations, CRI "sandbox-cpu-shares", resources->cpu_shares,
				  err);
}

/* A slice is systemd's to name: parent, prefix, name. */
static int put_cgroup(json_t *linux_spec, const char *parent, const char *id, struct err *err)
{
	const char *base = strrchr(parent, '/');
	size_t len = strlen(parent);
	char path[PATH_MAX];
	int n;

	if (!len)
		return 0;
	base = base ? base + 1 : parent;
	if (len > 6 && strcmp(parent + len - 6, ".slice") == 0)
		n = snprintf(path, sizeof(path), "%s:sbx:%s", base, id);
	else
		n = snprintf(path, sizeof(path), "%s/%s", parent, id);
	if (n >= (int)sizeof(path))
		return err_set(err, EINVAL, "sandbox: cgroup_parent: too long");
	return put(linux_spec, "cgroupsPath", path, err);
}

/* In place of whatever the bundle says about the network. */
static int put_network(json_t *linux_spec, const char *path, struct err *err)
{
	json_t *namespaces = json_object_get(linux_spec, "namespaces"), *entry;

	if (!path[0])
		return 0;
	if (!namespaces && json_object_set_new(linux_spec, "namespaces", json_array()) == 0)
		namespaces = json_object_get(linux_spec, "namespaces");
	for (size_t i = json_array_size(namespaces); i-- > 0;) {
		const char *type =
			json_string_value(json_object_get(json_array_get(namespaces, i), "type"));

		if (type && strcmp(type, "network") == 0)
			json_array_remove(namespaces, i);
	}
	entry = json_pack("{s:s, s:s}", "type", "network", "path", path);
	if (!entry || json_array_append_new(namespaces, entry) < 0)
		return err_set(err, EINVAL, "sandbox: netns_path: not a path");
	return 0;
}

static int fill(json_t *root, const Pod__CreateSandboxRequest *request,
		const Pod__PodSandboxConfig *config, struct err *err)
{
	static const Pod__LinuxPodSandboxConfig none = POD__LINUX_POD_SANDBOX_CONFIG__INIT;
	const Pod__LinuxPodSandboxConfig *linux_config =
		config->linux_config ? config->linux_config : &none;
	json_t *annotations = object_in(root, "annotations");
	json_t *linux_spec = object_in(root, "linux");
	json_t *sysctl = linux_spec ? object_in(linux_spec, "sysctl") : NULL;
	int r = 0;

	if (!annotations || !sysctl)
		return err_set(err, EINVAL, "config.json: annotations, linux, sysctl: not objects");
	if (!json_object_get(root, "ociVersion"))
		r = put(root, "ociVersion", "1.0.2", err);
	if (r == 0 && config->hostname[0])
		r = put(root, "hostname", config->hostname, err);
	if (r == 0)
		r = put_pairs(annotations, config->annotations, config->n_annotations, err);
	if (r == 0)
		r = put_pairs(annotations, request->annotations, request->n_annotations, err);
	if (r == 0)
		r = put(annotations, CRI "container-type", "sandbox", err);
	if (r == 0)
		r = put(annotations, CRI "sandbox-id", request->sandbox_id, err);
	if (r == 0)
		r = put_resources(annotations, linux_config->resources, err);
	if (r == 0)
		r = put_pairs(sysctl, linux_config->sysctls, linux_config->n_sysctls, err);
	if (r == 0)
		r = put_cgroup(linux_spec, linux_config->cgroup_parent, request->sandbox_id, err);
	return r < 0 ? r : put_network(linux_spec, request->netns_path, err);
}

static void config_free_p(Pod__PodSandboxConfig **config)
{
	if (*config)
		protobuf_c_message_free_unpacked(&(*config)->base, NULL);
}

/* Options of another client's kind say nothing that we know. */
static Pod__PodSandboxConfig *unpack_options(const Google__Any *options)
{
	static const char type[] = "PodSandboxConfig";
	const struct bytes value =
		options ? bytes_of(options->value.data, options->value.len) : bytes_of(NULL, 0);
	size_t len = options ? strlen(options->type_url) : 0;
	bool ours = len >= sizeof(type) - 1 &&
		    strcmp(options->type_url + len - (sizeof(type) - 1), type) == 0;

	return (Pod__PodSandboxConfig *)budget_unpack(&pod__pod_sandbox_config__descriptor,
						      ours ? value.data : NULL,
						      ours ? value.size : 0, OPTIONS_BUDGET);
}

int pod_spec_build(const Pod__CreateSandboxRequest *request, struct bytes config, struct spec **ret,
		   struct err *err)
{
	_cleanup_(config_free_p) Pod__PodSandboxConfig *options = unpack_options(request->options);
	_cleanup_(json_decref_p) json_t *root = NULL;
	_cleanup_free_ char *text = NULL;
	json_error_t error = {.line = -1};
	int r;

	if (!options)
		return err_set(err, EINVAL, "sandbox: options: malformed");
	root = config.size ? json_loadb((const char *)config.data, config.size,
					JSON_REJECT_DUPLICATES, &error)
			   : json_object();
	if (!root)
		return err_set(err, EINVAL, "config.json: line %d: %s", error.line, error.text);
	if (!json_is_object(root))
		return err_set(err, EINVAL, "config.json: not an object");
	r = fill(root, request, options, err);
	if (r < 0)
		return r;
	text = json_dumps(root, JSON_COMPACT);
	return text ? spec_parse(text, strlen(text), ret, err)
		    : err_set(err, ENOMEM, "out of memory");
}
