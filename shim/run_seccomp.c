/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run_seccomp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

/* What the profiles' conditions are asked about: the guest's, whatever runs here. */
#define GUEST_ARCH         "amd64"
#define GUEST_ARCH_SECCOMP "SCMP_ARCH_X86_64"
#define GUEST_KERNEL_MAJOR 6
#define GUEST_KERNEL_MINOR 12

struct filter {
	run_seccomp_has_cap has_cap;
	const void *data;
};

static bool is_our_arch(json_t *name)
{
	const char *s = json_string_value(name);

	return s && (strcmp(s, GUEST_ARCH) == 0 || strcmp(s, "x86_64") == 0);
}

static bool any_arch(json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is_our_arch(json_array_get(list, i)))
			return true;
	return false;
}

static size_t count_caps(const struct filter *f, json_t *list)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		n += name && f->has_cap(name, f->data);
	}
	return n;
}

static bool kernel_reaches(const char *version)
{
	unsigned int maj = 0, min = 0;

	if (sscanf(version, "%u.%u", &maj, &min) < 1)
		return false;
	return maj < GUEST_KERNEL_MAJOR || (maj == GUEST_KERNEL_MAJOR && min <= GUEST_KERNEL_MINOR);
}

/* docker's meaning: all of what is included must be there, and nothing of what is excluded. */
static bool applies(const struct filter *f, json_t *rule)
{
	json_t *in = json_object_get(rule, "includes"), *out = json_object_get(rule, "excludes");
	json_t *caps = json_object_get(in, "caps"), *arches = json_object_get(in, "arches");
	const char *kernel = json_string_value(json_object_get(in, "minKernel"));

	if (count_caps(f, caps) != json_array_size(caps))
		return false;
	if (json_array_size(arches) && !any_arch(arches))
		return false;
	if (kernel && !kernel_reaches(kernel))
		return false;
	return count_caps(f, json_object_get(out, "caps")) == 0 &&
	       !any_arch(json_object_get(out, "arches"));
}

/* What docker's form has and the runtime-spec's has not. */
static void strip(json_t *rule)
{
	static const char *const own[] = {"includes", "excludes", "comment"};
	json_t *name = json_object_get(rule, "name");

	if (name && !json_array_size(json_object_get(rule, "names")))
		json_object_set_new(rule, "names", json_pack("[O]", name));
	json_object_del(rule, "name");
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		json_object_del(rule, own[i]);
}

static void keep_rules(const struct filter *f, json_t *profile)
{
	json_t *rules = json_object_get(profile, "syscalls");

	for (size_t i = 0; i < json_array_size(rules);) {
		json_t *rule = json_array_get(rules, i);

		if (!applies(f, rule)) {
			json_array_remove(rules, i);
			continue;
		}
		if (json_is_object(rule))
			strip(rule);
		i++;
	}
}

static int keep_architectures(json_t *profile, struct err *err)
{
	json_t *map = json_object_get(profile, "archMap"), *list;

	if (!json_array_size(map)) {
		json_object_del(profile, "archMap");
		return 0;
	}
	if (json_array_size(json_object_get(profile, "architectures")))
		return err_set(err, EINVAL, "has both archMap and architectures");
	list = json_array();
	for (size_t i = 0; i < json_array_size(map); i++) {
		json_t *row = json_array_get(map, i);
		json_t *name = json_object_get(row, "architecture");

		if (!json_is_string(name) ||
		    strcmp(json_string_value(name), GUEST_ARCH_SECCOMP) != 0)
			continue;
		json_array_append(list, name);
		json_array_extend(list, json_object_get(row, "subArchitectures"));
	}
	json_object_set_new(profile, "architectures", list);
	json_object_del(profile, "archMap");
	return 0;
}

int run_seccomp_compile(json_t *profile, struct spec **ret_spec, Spec__Spec **ret, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	_cleanup_free_ char *text = NULL;
	json_t *config = json_pack("{s:s,s:{s:s,s:[s]},s:{s:O}}", "ociVersion", "1.2.0", "process",
				   "cwd", "/", "args", "x", "linux", "seccomp", profile);
	int r;

	text = config ? json_dumps(config, JSON_COMPACT) : NULL;
	json_decref(config);
	if (!text)
		return err_set(err, ENOMEM, "out of memory");
	r = spec_parse(text, strlen(text), &spec, err);
	if (r == 0)
		r = spec_guest_build(spec, ret, err);
	if (r == 0)
		*ret_spec = TAKE_PTR(spec);
	return r;
}

static int check(json_t *profile, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	Spec__Spec *guest;
	int r = run_seccomp_compile(profile, &spec, &guest, err);

	/* A config.json may have it; whoever writes a profile for us has misspelt something. */
	if (r == 0 && spec->doc.n_noted)
		return err_set(err, EINVAL, "%s: not known", spec->doc.noted[0].name);
	return r;
}

int run_seccomp_parse(const char *text, size_t size, run_seccomp_has_cap has_cap, const void *data,
		      bool judge, json_t **ret, struct err *err)
{
	const struct filter filter = {has_cap, data};
	json_error_t error;
	json_t *profile = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	int r;

	if (!profile)
		return err_set(err, EINVAL, "line %d, column %d: not valid JSON", error.line,
			       error.column);
	r = json_is_object(profile) ? keep_architectures(profile, err)
				    : err_set(err, EINVAL, "not a JSON object");
	if (r == 0) {
		json_object_del(profile, "comment");
		keep_rules(&filter, profile);
		r = judge ? check(profile, err) : 0;
	}
	if (r < 0) {
		json_decref(profile);
		return r;
	}
	*ret = profile;
	return 0;
}
