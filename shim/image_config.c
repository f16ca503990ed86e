/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The members' names: OCI's in an image, ours in the store. */
struct names {
	const char *entrypoint, *cmd, *env, *user, *workdir;
};

static const struct names oci_names = {"Entrypoint", "Cmd", "Env", "User", "WorkingDir"};
static const struct names own_names = {"entrypoint", "cmd", "env", "user", "workdir"};

const char *image_config_host_arch(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#else
#error "say how OCI calls this architecture"
#endif
}

static int broken(struct err *err, const char *name, const char *why)
{
	err_set(err, EBADMSG, "image configuration: %s %s", name, why);
	return -EBADMSG;
}

static int out_of_memory(struct err *err)
{
	err_set(err, ENOMEM, "out of memory");
	return -ENOMEM;
}

static void strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

void image_config_finish(struct image_config *config)
{
	strings_free(config->entrypoint);
	strings_free(config->cmd);
	strings_free(config->env);
	free(config->user);
	free(config->workdir);
	memset(config, 0, sizeof(*config));
}

/* Absent and null are the empty value, as Go writes it. */
static int get_string(json_t *object, const char *name, char **ret, struct err *err)
{
	json_t *value = json_object_get(object, name);
	const char *s = "";

	if (value && !json_is_null(value)) {
		if (!json_is_string(value))
			return broken(err, name, "is not a string");
		if (json_string_length(value) > IMAGE_CONFIG_MAX_STRING)
			return broken(err, name, "is too long");
		s = json_string_value(value);
	}
	*ret = strdup(s);
	return *ret ? 0 : out_of_memory(err);
}

static int get_strings(json_t *object, const char *name, char ***ret, struct err *err)
{
	json_t *value = json_object_get(object, name);
	size_t n = 0;

	if (value && !json_is_null(value)) {
		if (!json_is_array(value))
			return broken(err, name, "is not an array");
		n = json_array_size(value);
		if (n > IMAGE_CONFIG_MAX_ITEMS)
			return broken(err, name, "has too many items");
	}
	*ret = calloc(n + 1, sizeof(**ret));
	if (!*ret)
		return out_of_memory(err);
	for (size_t i = 0; i < n; i++) {
		json_t *item = json_array_get(value, i);

		if (!json_is_string(item))
			return broken(err, name, "holds something else than strings");
		if (json_string_length(item) > IMAGE_CONFIG_MAX_STRING)
			return broken(err, name, "holds a string that is too long");
		(*ret)[i] = strdup(json_string_value(item));
		if (!(*ret)[i])
			return out_of_memory(err);
	}
	return 0;
}

static int check_env(char **env, const char *name, struct err *err)
{
	for (size_t i = 0; env[i]; i++)
		if (env[i][0] == '=' || !strchr(env[i], '='))
			return broken(err, name, "holds something else than NAME=VALUE");
	return 0;
}

/* As docker: a relative directory is one beneath the root. */
static int make_absolute(char **workdir, struct err *err)
{
	char *absolute;

	if ((*workdir)[0] == '/')
		return 0;
	if (asprintf(&absolute, "/%s", *workdir) < 0)
		return out_of_memory(err);
	free(*workdir);
	*workdir = absolute;
	return 0;
}

static int read_config(json_t *object, const struct names *names, struct image_config *ret,
		       struct err *err)
{
	struct image_config config = {0};
	int r = get_strings(object, names->entrypoint, &config.entrypoint, err);

	if (r == 0)
		r = get_strings(object, names->cmd, &config.cmd, err);
	if (r == 0)
		r = get_strings(object, names->env, &config.env, err);
	if (r == 0)
		r = check_env(config.env, names->env, err);
	if (r == 0)
		r = get_string(object, names->user, &config.user, err);
	if (r == 0)
		r = get_string(object, names->workdir, &config.workdir, err);
	if (r == 0)
		r = make_absolute(&config.workdir, err);
	if (r < 0)
		image_config_finish(&config);
	else
		*ret = config;
	return r;
}

/* An image that says nothing gets the benefit of the doubt; one that says otherwise does not. */
static int check_platform(json_t *root, struct err *err)
{
	const char *os = json_string_value(json_object_get(root, "os"));
	const char *arch = json_string_value(json_object_get(root, "architecture"));

	if (os && os[0] && strcmp(os, "linux") != 0)
		return err_set(err, EBADMSG, "image configuration: made for %.32s, not for linux",
			       os);
	if (arch && arch[0] && strcmp(arch, image_config_host_arch()) != 0)
		return err_set(err, EBADMSG, "image configuration: made for %.32s, not for %s",
			       arch, image_config_host_arch());
	return 0;
}

int image_config_parse(const char *text, size_t size, struct image_config *ret, struct err *err)
{
	json_error_t where;
	json_t *root, *object;
	int r;

	if (size > IMAGE_CONFIG_MAX_BYTES)
		return broken(err, "it", "is larger than 1 MiB");
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return err_set(err, EBADMSG,
			       "image configuration: line %d, column %d: not valid JSON",
			       where.line, where.column);
	object = json_object_get(root, "config");
	if (!json_is_object(root))
		r = broken(err, "it", "is not an object");
	else if (object && !json_is_null(object) && !json_is_object(object))
		r = broken(err, "config", "is not an object");
	else
		r = check_platform(root, err);
	if (r == 0)
		r = read_config(object, &oci_names, ret, err);
	json_decref(root);
	return r;
}

int image_config_from_json(json_t *object, struct image_config *ret, struct err *err)
{
	if (!json_is_object(object))
		return broken(err, "it", "is not an object");
	return read_config(object, &own_names, ret, err);
}

int image_config_default(struct image_config *ret)
{
	json_t *object =
		json_pack("{s:[s], s:[s]}", own_names.cmd, "/bin/sh", own_names.env, DEFAULT_PATH);
	int r = object ? read_config(object, &own_names, ret, NULL) : -ENOMEM;

	json_decref(object);
	return r;
}

static json_t *strings_to_json(char *const *strings)
{
	json_t *array = json_array();

	for (size_t i = 0; array && strings[i]; i++)
		if (json_array_append_new(array, json_string(strings[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *image_config_to_json(const struct image_config *config)
{
	return json_pack("{s:o, s:o, s:o, s:s, s:s}", own_names.entrypoint,
			 strings_to_json(config->entrypoint), own_names.cmd,
			 strings_to_json(config->cmd), own_names.env, strings_to_json(config->env),
			 own_names.user, config->user, own_names.workdir, config->workdir);
}
