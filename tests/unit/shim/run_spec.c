/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as `sbx run` writes it, compared with tests/golden/shim/NAME.json. With
 * SBX_GOLDEN_UPDATE set the files are written instead.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/io.h"
#include "common/strbuf.h"
#include "shim/run_spec.h"
#include "shim/spec_guest.h"

static char *none[] = {NULL};
static char *entrypoint[] = {(char *)"/entry", NULL};
static char *image_command[] = {(char *)"default", (char *)"args", NULL};
static char workdir[] = "/work", image_user[] = "www-data", nobody[] = "";

static json_t *build(const char *text, bool rich_image, struct err *err)
{
	static char line[512];
	static char *words[64];
	struct image image = {
		.entrypoint = rich_image ? entrypoint : none,
		.cmd = image_command,
		.user = rich_image ? image_user : nobody,
		.workdir = workdir,
		.env = none,
	};
	_cleanup_env_list_ struct env_list env = {0};
	struct run_options options;
	const struct run_spec_input input = {
		.id = "0123456789ab",
		.options = &options,
		.image = &image,
		.env = &env,
		.rows = 24,
		.columns = 80,
	};
	json_t *config = NULL;
	int n = 0;

	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	cr_assert_eq(run_options_parse(n, words, &options, err), 0, "%s", err->msg);
	cr_assert_eq(env_list_set(&env, "PATH=/bin"), 0);
	run_spec_build(&input, &config, err);
	return config;
}

/* What sbx writes, the shim must take. */
static void check_accepted(const char *text)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;
	Spec__Spec *guest;

	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	cr_assert_eq(spec_guest_build(spec, &guest, &err), 0, "%s", err.msg);
}

static void golden(const char *name, const char *line, bool rich_image)
{
	_cleanup_close_ int dir = open("tests/golden/shim", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL, *want = NULL;
	struct err err = ERR_INIT;
	json_t *config = build(line, rich_image, &err);
	char file[64];
	size_t size;

	cr_assert_not_null(config, "%s", err.msg);
	text = json_dumps(config, JSON_INDENT(1));
	json_decref(config);
	check_accepted(text);
	snprintf(file, sizeof(file), "%s.json", name);
	if (getenv("SBX_GOLDEN_UPDATE"))
		cr_assert_eq(io_write_atomic(dir, file, text, strlen(text), 0644), 0);
	cr_assert_eq(io_read_file(dir, file, 1 << 20, &want, &size), 0, "%s", file);
	cr_assert_str_eq(text, want, "%s", file);
}

Test(run_spec, plain)
{
	golden("run-plain", "-- sh -c true", false);
}

Test(run_spec, everything)
{
	golden("run-everything",
	       "-m 1g --cpus 2 --timeout 3s -w /w -u 1000:1001 -t --hostname h --read-only "
	       "--tmpfs /tmp:size=1m,mode=1777 --tmpfs /run --ulimit nofile=10:20 --ulimit core=-1 "
	       "--cap-drop ALL --cap-add NET_ADMIN --kernel /k --hypervisor vmm --debug img a b",
	       true);
}

static json_t *args_of(const char *line, bool rich_image)
{
	struct err err = ERR_INIT;
	json_t *config = build(line, rich_image, &err), *args;

	if (!config)
		return NULL;
	args = json_incref(json_object_get(json_object_get(config, "process"), "args"));
	json_decref(config);
	return args;
}

static void check_args(const char *line, bool rich_image, const char *want)
{
	json_t *args = args_of(line, rich_image);
	char *text = json_dumps(args, JSON_COMPACT);

	cr_assert_str_eq(text, want, "%s", line);
	free(text);
	json_decref(args);
}

Test(run_spec, entrypoint_and_command_as_docker)
{
	check_args("img", true, "[\"/entry\",\"default\",\"args\"]");
	check_args("img x", true, "[\"/entry\",\"x\"]");
	check_args("img", false, "[\"default\",\"args\"]");
	check_args("img x y", false, "[\"x\",\"y\"]");
	check_args("--entrypoint e img", true, "[\"e\"]");
	check_args("--entrypoint e img x", true, "[\"e\",\"x\"]");
}

Test(run_spec, no_command_is_an_error)
{
	struct err err = ERR_INIT;
	char *argv[] = {(char *)"--entrypoint", (char *)"", (char *)"img"};
	struct image image = {
		.entrypoint = none, .cmd = none, .user = nobody, .workdir = workdir, .env = none};
	struct env_list env = {0};
	struct run_options options;
	const struct run_spec_input input = {
		.id = "i", .options = &options, .image = &image, .env = &env};
	json_t *config;

	cr_assert_eq(run_options_parse(3, argv, &options, &err), 0);
	cr_assert_eq(run_spec_build(&input, &config, &err), -EINVAL);
	cr_assert_str_eq(err.msg, "no command given, and the image names none");
}

Test(run_spec, arguments_must_be_utf8)
{
	struct err err = ERR_INIT;

	cr_assert_null(build("img \xff", false, &err));
	cr_assert_eq(err.code, EINVAL);
}

/* What JSON cannot hold must not be left out: a mount, or who the program is. */
Test(run_spec, options_must_be_utf8)
{
	static const char *const lines[] = {
		"-u b\xf6 img",
		"-w /\xff img",
		"-v /a\xe9:/b img",
		"-v /a:/b\xe9 img",
		"--mount type=bind,source=/\xe9,target=/b img",
		"--tmpfs /a\xe9 img",
		"--tmpfs /a:size=1\xe9 img",
		"--kernel /\xe9 img",
		"--network ns:/\xe9 img",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct err err = ERR_INIT;

		cr_assert_null(build(lines[i], false, &err), "%zu", i);
		cr_assert_eq(err.code, EINVAL);
		cr_assert(strstr(err.msg, "UTF-8"), "%s", err.msg);
	}
}

static void check_mounts(const char *line, const char *want)
{
	struct err err = ERR_INIT;
	json_t *config = build(line, false, &err), *mount;
	_cleanup_strbuf_ struct strbuf got = {0};
	size_t i;

	cr_assert_not_null(config, "%s", err.msg);
	json_array_foreach (json_object_get(config, "mounts"), i, mount)
		if (i >= 7) /* docker's own */
			strbuf_addf(&got, "%s ",
				    json_string_value(json_object_get(mount, "destination")));
	cr_assert_str_eq(got.data, want);
	json_decref(config);
}

Test(run_spec, no_mount_hides_another)
{
	check_mounts("-v /s:/work/src --tmpfs /work img", "/work /work/src ");
	check_mounts("-v /s:/x/y/z -v /s:/x -v /s:/x/y/ --tmpfs / img", "/ /x /x/y/ /x/y/z ");
	check_mounts("-v /s:/b -v /s:/a --mount type=tmpfs,target=/b img", "/b /a /b ");
}

Test(run_spec, a_relative_source_needs_a_directory)
{
	struct err err = ERR_INIT;

	/* It has none here. */
	cr_assert_null(build("-v ./src:/src img", false, &err));
	cr_assert_eq(err.code, ENOENT);
	cr_assert_str_eq(err.msg, "--volume ./src:/src: the current directory has gone");
	cr_assert_null(build("--mount type=bind,source=.,target=/src img", false, &err));
}

static void check_user(const char *user, const char *want)
{
	json_t *json = run_spec_user(user);
	char *text = json_dumps(json, JSON_COMPACT);

	cr_assert_str_eq(text, want);
	free(text);
	json_decref(json);
}

Test(run_spec, users)
{
	check_user("", "{\"uid\":0,\"gid\":0}");
	check_user("12", "{\"uid\":0,\"gid\":0,\"username\":\"12\"}");
	check_user("0", "{\"uid\":0,\"gid\":0,\"username\":\"0\"}");
	check_user("12:34", "{\"uid\":12,\"gid\":34}");
	check_user("me", "{\"uid\":0,\"gid\":0,\"username\":\"me\"}");
	check_user("12:wheel", "{\"uid\":0,\"gid\":0,\"username\":\"12:wheel\"}");
	check_user("4294967295", "{\"uid\":0,\"gid\":0,\"username\":\"4294967295\"}");
}
