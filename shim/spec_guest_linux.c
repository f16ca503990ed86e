/* SPDX-License-Identifier: Apache-2.0 */
/* The linux object of config.json but for its resources and its seccomp profile. */
#include <errno.h>
#include <string.h>

#include "shim/spec_guest_internal.h"

int spec_build_pairs(const struct builder *b, const struct json_array *pairs, size_t *ret_n,
		     Spec__KeyValue ***ret)
{
	const struct json_pair *from = pairs->items;
	int r = spec_make_messages(b, pairs->n, &spec__key_value__descriptor, ret_n, ret);

	for (size_t i = 0; r == 0 && i < pairs->n; i++) {
		(*ret)[i]->key = text(from[i].key);
		(*ret)[i]->value = text(from[i].value);
	}
	return r;
}

enum { NS_OF_POD, NS_TAKEN };

static int resolve_namespace(const struct builder *b, size_t i, const struct spec_namespace *from,
			     Spec__Namespace *out)
{
	static const char *const joinable[] = {"pid", "network", "ipc", "uts", "time"};
	const char *id = NULL;
	bool can_join = false;
	struct err err = ERR_INIT;

	if (!from->path || !from->path[0])
		return NS_TAKEN;
	for (size_t k = 0; k < ARRAY_SIZE(joinable); k++)
		can_join |= strcmp(from->type, joinable[k]) == 0;
	if (!can_join)
		return err_set(b->err, EINVAL,
			       "%s: linux.namespaces[%zu].path: a %s namespace cannot be joined",
			       b->spec->doc.what, i, from->type);
	if (!b->spec->resolve_namespace ||
	    b->spec->resolve_namespace(from->type, from->path, &id, b->spec->resolve_data, &err) <
		    0)
		return err_set(b->err, EINVAL, "%s: linux.namespaces[%zu].path: %.200s",
			       b->spec->doc.what, i,
			       err.msg[0] ? err.msg : "not a namespace of this pod");
	out->container_id = text(id);
	return id[0] ? NS_TAKEN : NS_OF_POD;
}

static int build_namespaces(const struct builder *b, const struct json_array *namespaces,
			    Spec__Linux *out)
{
	static const char *const types[] = {"pid", "network", "mount",  "ipc",
					    "uts", "user",    "cgroup", "time"};
	const struct spec_namespace *from = namespaces->items;
	unsigned seen = 0;
	size_t n = 0;
	int r = spec_make_messages(b, namespaces->n, &spec__namespace__descriptor,
				   &out->n_namespaces, &out->namespaces);

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
		seen |= 1u << t;
		out->namespaces[n]->type = text(from[i].type);
		r = resolve_namespace(b, i, &from[i], out->namespaces[n]);
		/* What is the pod's is not named. */
		if (r == NS_TAKEN)
			n++;
		r = r < 0 ? r : 0;
	}
	out->n_namespaces = r == 0 ? n : 0;
	return r;
}

int spec_build_mappings(const struct builder *b, const struct json_array *mappings, size_t *ret_n,
			Spec__IdMapping ***ret)
{
	const struct spec_id_mapping *from = mappings->items;
	int r = spec_make_messages(b, mappings->n, &spec__id_mapping__descriptor, ret_n, ret);

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
	int r = spec_make_messages(b, devices->n, &spec__device__descriptor, &out->n_devices,
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
		/* Engines give what stat says, with the type in it, which the spec has apart. */
		d->file_mode = from[i].file_mode.set ? (uint32_t)from[i].file_mode.v & 07777 : 0666;
		d->uid = (uint32_t)from[i].uid.v;
		d->gid = (uint32_t)from[i].gid.v;
	}
	return r;
}

static int build_time_offsets(const struct builder *b, const struct spec_time_offsets *from,
			      Spec__Linux *out)
{
	const struct {
		const char *clock;
		const struct spec_time_offset *offset;
	} clocks[] = {{"monotonic", from->monotonic}, {"boottime", from->boottime}};
	size_t n = 0;
	int r = spec_make_messages(b, ARRAY_SIZE(clocks), &spec__time_offset__descriptor,
				   &out->n_time_offsets, &out->time_offsets);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(clocks); i++) {
		if (!clocks[i].offset)
			continue;
		out->time_offsets[n]->clock = text(clocks[i].clock);
		out->time_offsets[n]->secs = clocks[i].offset->secs.v;
		out->time_offsets[n++]->nanosecs = (uint32_t)clocks[i].offset->nanosecs.v;
	}
	out->n_time_offsets = r == 0 ? n : 0;
	return r;
}

static int build_personality(const struct builder *b, const struct spec_personality *from,
			     Spec__Personality **ret)
{
	Spec__Personality *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));

	if (!out)
		return no_memory(b);
	spec__personality__init(out);
	out->domain = text(from->domain);
	*ret = out;
	return 0;
}

int spec_build_linux(const struct builder *b, const struct spec_linux *from, Spec__Linux **ret)
{
	Spec__Linux *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	int r;

	if (!out)
		return no_memory(b);
	spec__linux__init(out);
	r = build_namespaces(b, &from->namespaces, out);
	if (r == 0)
		r = spec_build_mappings(b, &from->uid_mappings, &out->n_uid_mappings,
					&out->uid_mappings);
	if (r == 0)
		r = spec_build_mappings(b, &from->gid_mappings, &out->n_gid_mappings,
					&out->gid_mappings);
	if (r == 0)
		r = build_devices(b, &from->devices, out);
	if (r == 0 && from->resources)
		r = spec_build_resources(b, from->resources, &out->resources);
	if (r == 0)
		r = spec_build_pairs(b, &from->sysctl, &out->n_sysctl, &out->sysctl);
	if (r == 0 && from->seccomp)
		r = spec_build_seccomp(b, from->seccomp, &out->seccomp);
	if (r == 0 && from->time_offsets)
		r = build_time_offsets(b, from->time_offsets, out);
	if (r == 0 && from->personality)
		r = build_personality(b, from->personality, &out->personality);
	if (r < 0)
		return r;
	out->masked_paths = strings(&from->masked_paths, &out->n_masked_paths);
	out->readonly_paths = strings(&from->readonly_paths, &out->n_readonly_paths);
	out->rootfs_propagation = text(from->rootfs_propagation);
	*ret = out;
	return 0;
}
