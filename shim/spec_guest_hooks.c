/* SPDX-License-Identifier: Apache-2.0 */
/* hooks: those of the container go into the guest's message; all of them are judged. */
#include <errno.h>
#include <string.h>

#include "shim/spec_guest_internal.h"

static int build_list(const struct builder *b, const char *kind, const struct json_array *list,
		      size_t *ret_n, Spec__Hook ***ret)
{
	const struct spec_hook *from = list->items;
	int r = spec_make_messages(b, list->n, &spec__hook__descriptor, ret_n, ret);

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		Spec__Hook *hook = (*ret)[i];

		if (from[i].path[0] != '/')
			return err_set(b->err, EINVAL,
				       "%s: hooks.%s[%zu].path: not an absolute path",
				       b->spec->doc.what, kind, i);
		/* The runtime-spec: "must be greater than zero". */
		if (from[i].timeout.set && !from[i].timeout.v)
			return err_set(b->err, EINVAL, "%s: hooks.%s[%zu].timeout: zero",
				       b->spec->doc.what, kind, i);
		hook->path = text(from[i].path);
		hook->args = strings(&from[i].args, &hook->n_args);
		hook->env = strings(&from[i].env, &hook->n_env);
		hook->timeout_s = (uint32_t)from[i].timeout.v;
	}
	return r;
}

/* What the state says beside its status and the pid, which only the guest knows. */
static int build_state(const struct builder *b, Spec__Hooks *out)
{
	const struct spec *spec = b->spec;
	const struct json_array *annotations = &spec->config.annotations;
	const struct json_pair *pairs = annotations->items;
	json_t *state =
		json_pack("{s:s,s:s,s:s}", "ociVersion", spec->config.oci_version, "id",
			  spec->id ? spec->id : "", "bundle", spec->bundle ? spec->bundle : "");
	_cleanup_free_ char *json = NULL;
	json_t *map = json_object();
	size_t len;

	for (size_t i = 0; i < annotations->n; i++)
		json_object_set_new(map, pairs[i].key, json_string(pairs[i].value));
	json_object_set_new(state, "annotations", map);
	json = json_dumps(state, JSON_COMPACT);
	json_decref(state);
	len = json ? strlen(json) : 0;
	out->state = json ? json_doc_alloc(&b->spec->doc, 1, len) : NULL;
	if (!out->state)
		return no_memory(b);
	/* Without its braces. */
	memcpy(out->state, json + 1, len - 2);
	return 0;
}

int spec_build_hooks(const struct builder *b, const struct spec_hooks *from, Spec__Hooks **ret)
{
	Spec__Hooks *out = json_doc_alloc(&b->spec->doc, 1, sizeof(*out));
	const struct {
		const char *kind;
		const struct json_array *list;
	} of_host[] = {{"prestart", &from->prestart},
		       {"createRuntime", &from->create_runtime},
		       {"poststart", &from->poststart},
		       {"poststop", &from->poststop}};
	Spec__Hook **unused;
	size_t n;
	int r = 0;

	if (!out)
		return no_memory(b);
	spec__hooks__init(out);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(of_host); i++)
		r = build_list(b, of_host[i].kind, of_host[i].list, &n, &unused);
	if (r == 0)
		r = build_list(b, "createContainer", &from->create_container,
			       &out->n_create_container, &out->create_container);
	if (r == 0)
		r = build_list(b, "startContainer", &from->start_container, &out->n_start_container,
			       &out->start_container);
	if (r == 0 && (out->n_create_container || out->n_start_container)) {
		r = build_state(b, out);
		*ret = out;
	}
	return r;
}
