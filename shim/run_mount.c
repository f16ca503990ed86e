/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/run_mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/run_options.h"

/* What may follow SRC:DST: of a bind mount, nothing for a file system. */
static const char *const volume_options[] = {
	"ro",    "rw",      "nosuid",   "nodev",  "noexec",  "noatime", "bind",
	"rbind", "private", "rprivate", "shared", "rshared", "slave",   "rslave",
};

static int add_option(struct run_mount *mount, const char *text, size_t n)
{
	char *to;

	if (mount->n_options >= RUN_MOUNT_MAX_OPTIONS || n >= sizeof(mount->options[0]))
		return -EINVAL;
	to = mount->options[mount->n_options];
	memcpy(to, text, n);
	to[n] = '\0';
	mount->n_options++;
	return 0;
}

static bool is_path(const char *text)
{
	return text[0] == '/' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
	       strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0;
}

static int copy_path(char to[PATH_MAX], const char *text, size_t n)
{
	if (n == 0 || n >= PATH_MAX)
		return -EINVAL;
	memcpy(to, text, n);
	to[n] = '\0';
	return 0;
}

static int check(const struct run_mount *mount, const char *option, struct err *err)
{
	if (!mount->tmpfs && !is_path(mount->source))
		return err_set(err, EINVAL,
			       "--%s %.80s: the source is a path, from / or ./ on; there are no "
			       "named volumes",
			       option, mount->source);
	if (mount->target[0] != '/')
		return err_set(err, EINVAL, "--%s: %.80s: the target is not an absolute path",
			       option, mount->target);
	return 0;
}

static bool is_volume_option(const char *text, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(volume_options); i++)
		if (strlen(volume_options[i]) == n && memcmp(volume_options[i], text, n) == 0)
			return true;
	return false;
}

int run_mount_parse_volume(const char *text, struct run_mount *ret, struct err *err)
{
	const char *target = strchr(text, ':'), *options;

	*ret = (struct run_mount){0};
	if (!target || target == text || !target[1])
		return err_set(err, EINVAL, "-v %.80s: SRC:DST[:OPTIONS] is wanted", text);
	options = strchrnul(++target, ':');
	if (copy_path(ret->source, text, (size_t)(target - 1 - text)) < 0 ||
	    copy_path(ret->target, target, (size_t)(options - target)) < 0)
		return err_set(err, EINVAL, "-v %.80s: SRC:DST[:OPTIONS] is wanted", text);
	while (*options) {
		size_t n = strcspn(++options, ",");

		if (!is_volume_option(options, n) || add_option(ret, options, n) < 0)
			return err_set(err, EINVAL, "-v %.80s: option \"%.*s\" is not known", text,
				       n > 40 ? 40 : (int)n, options);
		options += n;
	}
	return check(ret, "volume", err);
}

/* --- --mount -------------------------------------------------------------------------------- */

struct pair {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool key_is(const struct pair *pair, const char *name)
{
	return strlen(name) == pair->key_len && memcmp(pair->key, name, pair->key_len) == 0;
}

static bool value_is(const struct pair *pair, const char *text)
{
	return strlen(text) == pair->value_len && memcmp(pair->value, text, pair->value_len) == 0;
}

static int add_prefixed(struct run_mount *mount, const char *prefix, const struct pair *pair)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s%.*s", prefix, (int)pair->value_len, pair->value);

	return pair->value_len == 0 || n >= (int)sizeof(text) ? -EINVAL
							      : add_option(mount, text, (size_t)n);
}

static int take_pair(struct run_mount *mount, const struct pair *pair)
{
	if (key_is(pair, "type")) {
		mount->tmpfs = value_is(pair, "tmpfs");
		return mount->tmpfs || value_is(pair, "bind") ? 0 : -EINVAL;
	}
	if (key_is(pair, "source") || key_is(pair, "src"))
		return copy_path(mount->source, pair->value, pair->value_len);
	if (key_is(pair, "target") || key_is(pair, "destination") || key_is(pair, "dst"))
		return copy_path(mount->target, pair->value, pair->value_len);
	if (key_is(pair, "readonly") || key_is(pair, "ro")) {
		if (value_is(pair, "false") || value_is(pair, "0"))
			return 0;
		return pair->value_len == 0 || value_is(pair, "true") || value_is(pair, "1")
			       ? add_option(mount, "ro", 2)
			       : -EINVAL;
	}
	if (key_is(pair, "bind-propagation"))
		return is_volume_option(pair->value, pair->value_len)
			       ? add_option(mount, pair->value, pair->value_len)
			       : -EINVAL;
	if (key_is(pair, "tmpfs-size"))
		return add_prefixed(mount, "size=", pair);
	if (key_is(pair, "tmpfs-mode"))
		return add_prefixed(mount, "mode=", pair);
	return -EINVAL;
}

int run_mount_parse(const char *text, struct run_mount *ret, struct err *err)
{
	*ret = (struct run_mount){0};
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, ",");
		const char *equals = memchr(at, '=', n);
		const struct pair pair = {
			.key = at,
			.key_len = equals ? (size_t)(equals - at) : n,
			.value = equals ? equals + 1 : at + n,
			.value_len = equals ? n - (size_t)(equals + 1 - at) : 0,
		};

		if (take_pair(ret, &pair) < 0)
			return err_set(err, EINVAL, "--mount: \"%.*s\" is not known",
				       n > 80 ? 80 : (int)n, at);
		at += n + (at[n] == ',');
	}
	if (!ret->target[0])
		return err_set(err, EINVAL, "--mount %.80s: no target", text);
	return check(ret, "mount", err);
}

/* --- config.json ---------------------------------------------------------------------------- */

/* NULL: not UTF-8. */
static json_t *build(const struct run_mount *mount, const char *cwd)
{
	json_t *options = json_array();

	if (!mount->tmpfs)
		json_array_append_new(options, json_string("rbind"));
	for (size_t i = 0; i < mount->n_options; i++)
		if (json_array_append_new(options, json_string(mount->options[i])) < 0) {
			json_decref(options);
			return NULL;
		}
	if (mount->tmpfs)
		return json_pack("{s:s,s:s,s:s,s:o}", "destination", mount->target, "type", "tmpfs",
				 "source", "tmpfs", "options", options);
	return json_pack("{s:s,s:s,s:o,s:o}", "destination", mount->target, "type", "bind",
			 "source",
			 mount->source[0] == '/' ? json_string(mount->source)
						 : json_sprintf("%s/%s", cwd, mount->source),
			 "options", options);
}

/* PATH[:OPTION,OPTION...], with docker's own options before. NULL: not UTF-8. */
static json_t *build_tmpfs(const char *text)
{
	json_t *options = json_pack("[s,s,s]", "nosuid", "nodev", "noexec");
	const char *colon = strchrnul(text, ':'), *at = *colon ? colon + 1 : colon;

	while (*at) {
		size_t n = strcspn(at, ",");

		if (n && json_array_append_new(options, json_stringn(at, n)) < 0) {
			json_decref(options);
			return NULL;
		}
		at += n + (at[n] == ',');
	}
	return json_pack("{s:s%,s:s,s:s,s:o}", "destination", text, (size_t)(colon - text), "type",
			 "tmpfs", "source", "tmpfs", "options", options);
}

static unsigned depth_of(const json_t *mount)
{
	const char *at = json_string_value(json_object_get(mount, "destination"));
	unsigned n = 0;

	for (; *at; at++)
		n += at[0] == '/' && at[1] && at[1] != '/';
	return n;
}

/* Behind those of the options before, but not behind what lies deeper: nothing hides another. */
static int insert(json_t *mounts, size_t first, json_t *mount, const char *option, const char *text,
		  struct err *err)
{
	size_t at = json_array_size(mounts);

	if (!mount)
		return err_set(err, EINVAL, "--%s %.80s: not UTF-8", option, text);
	while (at > first && depth_of(json_array_get(mounts, at - 1)) > depth_of(mount))
		at--;
	json_array_insert_new(mounts, at, mount);
	return 0;
}

int run_mount_add_all(const struct run_options *o, const char *cwd, json_t *mounts, struct err *err)
{
	size_t first = json_array_size(mounts);
	struct run_mount mount;
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->volumes.n + o->mounts.n; i++) {
		bool volume = i < o->volumes.n;
		const char *option = volume ? "volume" : "mount";
		const char *text = volume ? o->volumes.items[i] : o->mounts.items[i - o->volumes.n];

		r = volume ? run_mount_parse_volume(text, &mount, err)
			   : run_mount_parse(text, &mount, err);
		if (r == 0 && !mount.tmpfs && mount.source[0] != '/' && !cwd)
			r = err_set(err, ENOENT, "--%s %.80s: the current directory has gone",
				    option, text);
		if (r == 0)
			r = insert(mounts, first, build(&mount, cwd), option, text, err);
	}
	for (size_t i = 0; r == 0 && i < o->tmpfs.n; i++)
		r = insert(mounts, first, build_tmpfs(o->tmpfs.items[i]), "tmpfs",
			   o->tmpfs.items[i], err);
	return r;
}
