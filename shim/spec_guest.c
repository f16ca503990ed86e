/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/spec_guest.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct builder {
	struct spec *spec;
	struct err *err;
};

/* protobuf-c writes its empty string, never NULL, for a string that is not there. */
static char *text(const char *s)
{
	return s ? (char *)s : (char *)protobuf_c_empty_string;
}

static int no_memory(const struct builder *b)
{
	return err_set(b->err, ENOMEM, "%s: out of memory", b->spec->doc.what);
}

/* Repeated strings are the spec's own array: both are arrays of char pointers. */
static char **strings(const struct json_array *array, size_t *ret_n)
{
	*ret_n = array->n;
	return array->n ? array->items : NULL;
}

/*
 * Makes array's n messages: an array of pointers into one block of structs of size bytes each,
 * which init initializes.
 */
static int make_messages(const struct builder *b, size_t n, size_t size, void (*init)(void *),
			 size_t *ret_n, void *ret_array)
{
	char *block = json_doc_alloc(&b->spec->doc, n, size);
	void **array = json_doc_alloc(&b->spec->doc, n, sizeof(*array));

	if (!block || !array)
		return no_memory(b);
	for (size_t i = 0; i < n; i++) {
		array[i] = block + i * size;
		init(array[i]);
	}
	*ret_n = n;
	*(void ***)ret_array = array;
	return 0;
}

#define MAKE(b, n, type, init, ret_n, ret_array)                                                   \
	make_messages(b, n, sizeof(type), (void (*)(void *))(init), ret_n, ret_array)

static int build_pairs(const struct builder *b, const struct json_array *pairs, size_t *ret_n,
		       Spec__KeyValue ***ret)
{
	const struct json_pair *from = pairs->items;
	int r = MAKE(b, pairs->n, Spec__KeyValue, spec__key_value__init, ret_n, ret);

	for (size_t i = 0; r == 0 && i < pairs->n; i++) {
		(*ret)[i]->key = text(from[i].key);
		(*ret)[i]->value = text(from[i].value);
	}
	return r;
}

static int build_user(const struct builder *b, const struct spec_user *user, Spec__User **ret)
{
	static const struct spec_user root;
	Spec__User *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	if (!user)
		user = &root;
	spec__user__init(out);
	out->uid = (uint32_t)user->uid.v;
	out->gid = (uint32_t)user->gid.v;
	out->has_umask = user->umask.set;
	out->umask = (uint32_t)user->umask.v;
	out->n_additional_gids = user->additional_gids.n;
	out->additional_gids = user->additional_gids.items;
	out->username = text(user->username);
	*ret = out;
	return 0;
}

static int build_capabilities(const struct builder *b, const struct spec_capabilities *caps,
			      Spec__Capabilities **ret)
{
	Spec__Capabilities *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	spec__capabilities__init(out);
	out->bounding = strings(&caps->bounding, &out->n_bounding);
	out->effective = strings(&caps->effective, &out->n_effective);
	out->inheritable = strings(&caps->inheritable, &out->n_inheritable);
	out->permitted = strings(&caps->permitted, &out->n_permitted);
	out->ambient = strings(&caps->ambient, &out->n_ambient);
	*ret = out;
	return 0;
}

static int build_rlimits(const struct builder *b, const struct json_array *rlimits,
			 Spec__Process *out)
{
	const struct spec_rlimit *from = rlimits->items;
	int r = MAKE(b, rlimits->n, Spec__Rlimit, spec__rlimit__init, &out->n_rlimits,
		     &out->rlimits);

	for (size_t i = 0; r == 0 && i < rlimits->n; i++) {
		if (from[i].soft.v > from[i].hard.v)
			return err_set(b->err, EINVAL,
				       "%s: process.rlimits[%zu]: soft is above hard",
				       b->spec->doc.what, i);
		for (size_t j = 0; j < i; j++)
			if (strcmp(from[i].type, from[j].type) == 0)
				return err_set(b->err, EINVAL, "%s: process.rlimits[%zu]: twice",
					       b->spec->doc.what, i);
		out->rlimits[i]->type = text(from[i].type);
		out->rlimits[i]->soft = from[i].soft.v;
		out->rlimits[i]->hard = from[i].hard.v;
	}
	return r;
}

int spec_guest_build_process(struct spec *spec, const struct spec_process *process,
			     Spec__Process **ret, struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};
	Spec__Process *out = json_doc_alloc(&spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(&b);
	if (process->args.n == 0)
		return err_set(err, EINVAL, "%s: process.args: empty", spec->doc.what);
	if (process->cwd[0] != '/')
		return err_set(err, EINVAL, "%s: process.cwd: not an absolute path",
			       spec->doc.what);
	spec__process__init(out);
	out->terminal = process->terminal;
	if (process->console_size) {
		out->console_rows = (uint32_t)process->console_size->height.v;
		out->console_columns = (uint32_t)process->console_size->width.v;
	}
	out->args = strings(&process->args, &out->n_args);
	out->env = strings(&process->env, &out->n_env);
	out->cwd = text(process->cwd);
	out->no_new_privileges = process->no_new_privileges;
	out->has_oom_score_adj = process->oom_score_adj.set;
	out->oom_score_adj = (int32_t)process->oom_score_adj.v;
	r = build_user(&b, process->user, &out->user);
	if (r == 0 && process->capabilities)
		r = build_capabilities(&b, process->capabilities, &out->capabilities);
	if (r == 0)
		r = build_rlimits(&b, &process->rlimits, out);
	if (r == 0)
		*ret = out;
	return r;
}

static bool has_option(const struct spec_mount *mount, const char *option)
{
	const char *const *options = mount->options.items;

	for (size_t i = 0; i < mount->options.n; i++)
		if (strcmp(options[i], option) == 0)
			return true;
	return false;
}

static int build_mounts(const struct builder *b, const struct json_array *mounts, Spec__Spec *out)
{
	const struct spec_mount *from = mounts->items;
	int r = MAKE(b, mounts->n, Spec__Mount, spec__mount__init, &out->n_mounts, &out->mounts);

	for (size_t i = 0; r == 0 && i < mounts->n; i++) {
		Spec__Mount *m = out->mounts[i];

		if (from[i].destination[0] != '/')
			return err_set(b->err, EINVAL,
				       "%s: mounts[%zu].destination: not an absolute path",
				       b->spec->doc.what, i);
		/* A bind's source is a path of the host, which the guest does not see. */
		if ((from[i].type && strcmp(from[i].type, "bind") == 0) ||
		    has_option(&from[i], "bind") || has_option(&from[i], "rbind"))
			return err_set(b->err, EINVAL,
				       "%s: mounts[%zu]: bind mounts of host paths: not supported",
				       b->spec->doc.what, i);
		m->destination = text(from[i].destination);
		m->type = text(from[i].type);
		m->source = text(from[i].source);
		m->options = strings(&from[i].options, &m->n_options);
	}
	return r;
}

static int build_namespaces(const struct builder *b, const struct json_array *namespaces,
			    Spec__Linux *out)
{
	static const char *const types[] = {"pid", "network", "mount",  "ipc",
					    "uts", "user",    "cgroup", "time"};
	const struct spec_namespace *from = namespaces->items;
	unsigned seen = 0;
	int r = MAKE(b, namespaces->n, Spec__Namespace, spec__namespace__init, &out->n_namespaces,
		     &out->namespaces);

	for (size_t i = 0; r == 0 && i < namespaces->n; i++) {
		size_t t = 0;

		while (t < ARRAY_SIZE(types) && strcmp(from[i].type, types[t]) != 0)
			t++;
		if (t == ARRAY_SIZE(types))
			return err_set(b->err, EINVAL, "%s: linux.namespaces[%zu].type: not known",
				       b->spec->doc.what, i);
		if (seen & (1u << t))
			return err_set(b->err, EINVAL, "%s: linux.namespaces[%zu].type: twice",
				       b->spec->doc.what, i);
		if (from[i].path && from[i].path[0])
			return err_set(b->err, EINVAL,
				       "%s: linux.namespaces[%zu].path: not supported",
				       b->spec->doc.what, i);
		seen |= 1u << t;
		out->namespaces[i]->type = text(from[i].type);
	}
	return r;
}

static int build_mappings(const struct builder *b, const struct json_array *mappings, size_t *ret_n,
			  Spec__IdMapping ***ret)
{
	const struct spec_id_mapping *from = mappings->items;
	int r = MAKE(b, mappings->n, Spec__IdMapping, spec__id_mapping__init, ret_n, ret);

	for (size_t i = 0; r == 0 && i < mappings->n; i++) {
		(*ret)[i]->container_id = (uint32_t)from[i].container_id.v;
		(*ret)[i]->host_id = (uint32_t)from[i].host_id.v;
		(*ret)[i]->size = (uint32_t)from[i].size.v;
	}
	return r;
}

static int build_devices(const struct builder *b, const struct json_array *devices,
			 Spec__Linux *out)
{
	const struct spec_device *from = devices->items;
	int r = MAKE(b, devices->n, Spec__Device, spec__device__init, &out->n_devices,
		     &out->devices);

	for (size_t i = 0; r == 0 && i < devices->n; i++) {
		Spec__Device *d = out->devices[i];

		if (from[i].path[0] != '/')
			return err_set(b->err, EINVAL,
				       "%s: linux.devices[%zu].path: not an absolute path",
				       b->spec->doc.what, i);
		d->path = text(from[i].path);
		d->type = text(from[i].type);
		d->major = from[i].major.v;
		d->minor = from[i].minor.v;
		d->file_mode = from[i].file_mode.set ? (uint32_t)from[i].file_mode.v : 0666;
		d->uid = (uint32_t)from[i].uid.v;
		d->gid = (uint32_t)from[i].gid.v;
	}
	return r;
}

static int build_device_rules(const struct builder *b, const struct json_array *rules,
			      Spec__Resources *out)
{
	const struct spec_device_rule *from = rules->items;
	int r = MAKE(b, rules->n, Spec__DeviceRule, spec__device_rule__init, &out->n_devices,
		     &out->devices);

	for (size_t i = 0; r == 0 && i < rules->n; i++) {
		Spec__DeviceRule *rule = out->devices[i];

		rule->allow = from[i].allow;
		rule->type = text(from[i].type && from[i].type[0] ? from[i].type : "a");
		rule->major = from[i].major.set ? from[i].major.v : -1;
		rule->minor = from[i].minor.set ? from[i].minor.v : -1;
		rule->access = text(from[i].access && from[i].access[0] ? from[i].access : "rwm");
	}
	return r;
}

/*
 * The runtime-spec counts memory.swap as cgroup v1 does, memory and swap together; v2 counts swap
 * alone. 0 is unset on both sides.
 */
static int build_memory(const struct builder *b, const struct spec_memory *memory,
			Spec__Resources *out)
{
	int64_t limit = memory->limit.v, swap = memory->swap.v;

	out->memory_limit = limit;
	out->memory_low = memory->reservation.v;
	if (swap > 0) {
		if (limit <= 0 || swap < limit)
			return err_set(b->err, EINVAL,
				       "%s: linux.resources.memory.swap: below memory.limit",
				       b->spec->doc.what);
		/* Swap of zero bytes has no number in the message: one byte rounds down to it. */
		out->memory_swap = swap > limit ? swap - limit : 1;
	} else {
		out->memory_swap = swap;
	}
	return 0;
}

/* cgroup v1's shares of 2..262144 on v2's weights of 1..10000, as everyone maps them. */
static uint64_t weight_of_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return 1 + ((shares - 2) * 9999) / 262142;
}

static int build_resources(const struct builder *b, const struct spec_resources *resources,
			   Spec__Resources **ret)
{
	Spec__Resources *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(b);
	spec__resources__init(out);
	r = build_device_rules(b, &resources->devices, out);
	if (r == 0)
		r = build_pairs(b, &resources->unified, &out->n_unified, &out->unified);
	if (r == 0 && resources->memory)
		r = build_memory(b, resources->memory, out);
	if (r < 0)
		return r;
	if (resources->cpu) {
		out->cpu_weight = weight_of_shares(resources->cpu->shares.v);
		out->cpu_quota_us = resources->cpu->quota.v;
		out->cpu_period_us = resources->cpu->period.v;
		out->cpuset_cpus = text(resources->cpu->cpus);
		out->cpuset_mems = text(resources->cpu->mems);
	}
	if (resources->pids)
		out->pids_limit = resources->pids->limit.v;
	*ret = out;
	return 0;
}

static int build_linux(const struct builder *b, const struct spec_linux *from, Spec__Linux **ret)
{
	Spec__Linux *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(b);
	spec__linux__init(out);
	r = build_namespaces(b, &from->namespaces, out);
	if (r == 0)
		r = build_mappings(b, &from->uid_mappings, &out->n_uid_mappings,
				   &out->uid_mappings);
	if (r == 0)
		r = build_mappings(b, &from->gid_mappings, &out->n_gid_mappings,
				   &out->gid_mappings);
	if (r == 0)
		r = build_devices(b, &from->devices, out);
	if (r == 0 && from->resources)
		r = build_resources(b, from->resources, &out->resources);
	if (r == 0)
		r = build_pairs(b, &from->sysctl, &out->n_sysctl, &out->sysctl);
	if (r < 0)
		return r;
	out->masked_paths = strings(&from->masked_paths, &out->n_masked_paths);
	out->readonly_paths = strings(&from->readonly_paths, &out->n_readonly_paths);
	out->rootfs_propagation = text(from->rootfs_propagation);
	*ret = out;
	return 0;
}

int spec_guest_build(struct spec *spec, Spec__Spec **ret, struct err *err)
{
	const struct builder b = {.spec = spec, .err = err};
	const struct spec_config *config = &spec->config;
	Spec__Spec *out = json_doc_alloc(&spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(&b);
	if (strncmp(config->oci_version, "1.", 2) != 0)
		return err_set(err, EINVAL, "config.json: ociVersion: not 1.x");
	if (!config->process)
		return err_set(err, EINVAL, "config.json: process: missing");
	spec__spec__init(out);
	out->hostname = text(config->hostname);
	out->domainname = text(config->domainname);
	out->root_readonly = config->root && config->root->readonly;
	r = spec_guest_build_process(spec, config->process, &out->process, err);
	if (r == 0)
		r = build_mounts(&b, &config->mounts, out);
	if (r == 0 && config->linux)
		r = build_linux(&b, config->linux, &out->linux);
	if (r == 0)
		*ret = out;
	return r;
}
