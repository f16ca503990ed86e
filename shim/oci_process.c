/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/opts.h"
#include "shim/env_file.h"
#include "shim/json_bind.h"
#include "shim/run_spec.h"

/* "uid[:gid]" in numbers, as runc has it, keeps the rest of the user; names are the guest's to resolve. */
static int set_user(json_t *process, const char *user, struct err *err)
{
	json_t *now = json_member(process, "user"), *given;
	uint64_t uid;

	if (!json_is_object(now)) {
		now = json_pack("{s:i,s:i}", "uid", 0, "gid", 0);
		json_object_set_new(process, "user", now);
	}
	if (parse_uint(user, &uid) == 0 && uid < UINT32_MAX) {
		json_object_set_new(now, "uid", json_integer((json_int_t)uid));
		json_object_del(now, "username");
		return 0;
	}
	given = run_spec_user(user);
	if (!given)
		return err_set(err, EINVAL, "--user: not UTF-8");
	if (json_object_get(given, "username"))
		return json_object_set_new(process, "user", given);
	json_object_update(now, given);
	json_object_del(now, "username");
	json_decref(given);
	return 0;
}

static int add_groups(json_t *process, const struct opt_list *groups, struct err *err)
{
	json_t *user = json_member(process, "user"), *gids;

	if (!groups->n)
		return 0;
	if (!json_is_object(user)) {
		user = json_object();
		json_object_set_new(process, "user", user);
	}
	gids = json_member(user, "additionalGids");
	if (!json_is_array(gids)) {
		gids = json_array();
		json_object_set_new(user, "additionalGids", gids);
	}
	for (size_t i = 0; i < groups->n; i++) {
		uint64_t gid;

		if (parse_uint(groups->items[i], &gid) < 0 || gid > UINT32_MAX)
			return err_set(err, EINVAL, "--additional-gids %.40s: not a number",
				       groups->items[i]);
		json_array_append_new(gids, json_integer((json_int_t)gid));
	}
	return 0;
}

static bool array_has(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *item = json_string_value(json_array_get(array, i));

		if (item && strcasecmp(item, text) == 0)
			return true;
	}
	return false;
}

/*
 * As runc since CVE-2022-29162: an inheritable one would reach whatever file wants it. Of those that are
 * inheritable anyway an ambient one can be made, and is, by a spec that has such.
 */
static void add_caps(json_t *process, const struct opt_list *caps)
{
	static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};
	json_t *capabilities = json_member(process, "capabilities");
	bool ambient = json_array_size(json_member(capabilities, "inheritable")) > 0;

	if (!caps->n)
		return;
	if (!json_is_object(capabilities)) {
		capabilities = json_object();
		json_object_set_new(process, "capabilities", capabilities);
	}
	for (size_t s = 0; s < ARRAY_SIZE(sets) - !ambient; s++) {
		json_t *set = json_member(capabilities, sets[s]);

		if (!json_is_array(set)) {
			set = json_array();
			json_object_set_new(capabilities, sets[s], set);
		}
		for (size_t i = 0; i < caps->n; i++)
			if (!array_has(set, caps->items[i]))
				json_array_append_new(set, json_string(caps->items[i]));
	}
}

static int set_env(json_t *process, const struct opt_list *more, struct err *err)
{
	const json_t *own = json_member(process, "env");
	_cleanup_env_list_ struct env_list env = {0};
	json_t *array;
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(own); i++) {
		const char *entry = json_string_value(json_array_get(own, i));

		r = entry ? env_list_set(&env, entry) : -EINVAL;
	}
	for (size_t i = 0; r == 0 && i < more->n; i++) {
		if (!strchr(more->items[i], '='))
			return err_set(err, EINVAL, "--env %.80s: not NAME=VALUE", more->items[i]);
		r = env_list_set(&env, more->items[i]);
	}
	if (r < 0)
		return err_set_errno(err, -r, "the environment");
	array = run_spec_strings(env.items, env.n);
	return array ? json_object_set_new(process, "env", array)
		     : err_set(err, EINVAL, "--env: not UTF-8");
}

static int change(json_t *process, const struct oci_process_options *o, char *const *args, size_t n,
		  struct err *err)
{
	json_t *array = run_spec_strings(args, n);
	int r;

	if (!array)
		return err_set(err, EINVAL, "an argument is not UTF-8");
	json_object_set_new(process, "args", array);
	json_object_set_new(process, "terminal", json_boolean(o->tty));
	json_object_del(process, "consoleSize");
	if (o->tty && o->rows && o->columns)
		json_object_set_new(process, "consoleSize",
				    json_pack("{s:I,s:I}", "height", (json_int_t)o->rows, "width",
					      (json_int_t)o->columns));
	if (o->cwd)
		json_object_set_new(process, "cwd", json_string(o->cwd));
	if (o->no_new_privs)
		json_object_set_new(process, "noNewPrivileges", json_true());
	if (o->apparmor)
		json_object_set_new(process, "apparmorProfile", json_string(o->apparmor));
	if (o->label)
		json_object_set_new(process, "selinuxLabel", json_string(o->label));
	add_caps(process, &o->caps);
	r = o->user ? set_user(process, o->user, err) : 0;
	if (r == 0)
		r = add_groups(process, &o->groups, err);
	return r == 0 ? set_env(process, &o->env, err) : r;
}

int oci_process_build(const char *config, size_t size, const struct oci_process_options *options,
		      char *const *args, size_t n, char **ret, struct err *err)
{
	struct json_doc doc = {0};
	json_t *process;
	char *text = NULL;
	int r = json_doc_parse(&doc, "config.json", config, size, err);

	if (r < 0)
		return r;
	process = json_member(doc.root, "process");
	if (json_is_object(process))
		r = change(process, options, args, n, err);
	else
		r = err_set(err, EINVAL, "config.json: no process in it");
	if (r == 0) {
		text = json_dumps(process, JSON_COMPACT);
		r = text ? 0 : err_set(err, ENOMEM, "out of memory");
	}
	json_doc_finish(&doc);
	*ret = text;
	return r;
}
