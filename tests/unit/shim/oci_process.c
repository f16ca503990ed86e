/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/oci_process.h"
#include "shim/oci_resources.h"

static const char config[] =
	"{\"process\":{\"terminal\":true,\"consoleSize\":{\"height\":1,\"width\":2},\"cwd\":\"/\","
	"\"args\":[\"init\"],\"env\":[\"A=1\",\"B=2\"],\"user\":{\"uid\":5,\"gid\":6,\"umask\":18},"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":1,\"hard\":18446744073709551615}]}}";

static struct err err;

static json_t *build(const struct oci_process_options *o)
{
	char *args[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c"};
	_cleanup_free_ char *text = NULL;

	err = (struct err)ERR_INIT;
	if (oci_process_build(config, strlen(config), o, args, 2, &text, &err) < 0)
		return NULL;
	return json_loads(text, 0, NULL);
}

static void expect(const struct oci_process_options *o, const char *member, const char *golden)
{
	json_t *process = build(o);
	_cleanup_free_ char *text =
		json_dumps(json_object_get(process, member), JSON_COMPACT | JSON_ENCODE_ANY);

	cr_assert_str_eq(text, golden);
	json_decref(process);
}

Test(oci_process, plain)
{
	const struct oci_process_options o = {0};
	json_t *process = build(&o);

	expect(&o, "args", "[\"sh\",\"-c\"]");
	expect(&o, "terminal", "false");
	expect(&o, "env", "[\"A=1\",\"B=2\"]");
	cr_assert_null(json_object_get(process, "consoleSize"));
	json_decref(process);
}

Test(oci_process, env_and_cwd)
{
	const struct oci_process_options o = {
		.env = {.items = {"B=3", "C="}, .n = 2}, .cwd = "/tmp", .tty = true};

	expect(&o, "env", "[\"A=1\",\"B=3\",\"C=\"]");
	expect(&o, "cwd", "\"/tmp\"");
	expect(&o, "terminal", "true");
}

Test(oci_process, size_of_the_terminal)
{
	const struct oci_process_options o = {.tty = true, .rows = 25, .columns = 80};

	expect(&o, "consoleSize", "{\"height\":25,\"width\":80}");
}

Test(oci_process, user)
{
	expect(&(struct oci_process_options){.user = "7"}, "user",
	       "{\"uid\":7,\"gid\":6.0,\"umask\":18.0}");
	expect(&(struct oci_process_options){.user = "7:8"}, "user",
	       "{\"uid\":7,\"gid\":8,\"umask\":18.0}");
	expect(&(struct oci_process_options){.user = "joe"}, "user",
	       "{\"uid\":0,\"gid\":0,\"username\":\"joe\"}");
	expect(&(struct oci_process_options){.user = "7:8", .groups = {.items = {"9"}, .n = 1}},
	       "user", "{\"uid\":7,\"gid\":8,\"umask\":18.0,\"additionalGids\":[9]}");
}

Test(oci_process, caps)
{
	expect(&(struct oci_process_options){.caps = {.items = {"CAP_KILL", "CAP_CHOWN"}, .n = 2}},
	       "capabilities",
	       "{\"bounding\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
	       "\"effective\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
	       "\"permitted\":[\"CAP_KILL\",\"CAP_CHOWN\"]}");
}

/* Ambient, too, where the spec has inheritable ones. */
Test(oci_process, caps_of_a_spec_with_inheritable_ones)
{
	static const char text[] =
		"{\"process\":{\"capabilities\":{\"inheritable\":[\"CAP_SYSLOG\"],"
		"\"ambient\":[\"CAP_CHOWN\"]}}}";
	const struct oci_process_options o = {.caps = {.items = {"CAP_SYSLOG"}, .n = 1}};
	char *args[] = {(char *)(uintptr_t) "sh"};
	_cleanup_free_ char *built = NULL;

	cr_assert_eq(oci_process_build(text, strlen(text), &o, args, 1, &built, &err), 0);
	cr_assert(strstr(built, "\"inheritable\":[\"CAP_SYSLOG\"]"), "%s", built);
	cr_assert(strstr(built, "\"ambient\":[\"CAP_CHOWN\",\"CAP_SYSLOG\"]"), "%s", built);
	cr_assert(strstr(built, "\"permitted\":[\"CAP_SYSLOG\"]"), "%s", built);
}

/* A user, and a list, that are not there or null: nobody's to be appended to. */
Test(oci_process, groups_of_a_process_without_a_user)
{
	static const char *const texts[] = {
		"{\"process\":{}}",
		"{\"process\":{\"user\":null}}",
		"{\"process\":{\"user\":{\"additionalGids\":null}}}",
	};
	const struct oci_process_options o = {.groups = {.items = {"9", "10"}, .n = 2}};
	char *args[] = {(char *)(uintptr_t) "sh"};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *built = NULL;

		cr_assert_eq(
			oci_process_build(texts[i], strlen(texts[i]), &o, args, 1, &built, &err),
			0);
		cr_assert(strstr(built, "\"user\":{\"additionalGids\":[9,10]}"), "%s", built);
	}
}

Test(oci_process, wrong_ones)
{
	cr_assert_null(build(&(struct oci_process_options){.env = {.items = {"X"}, .n = 1}}));
	cr_assert(strstr(err.msg, "--env X"));
	cr_assert_null(build(&(struct oci_process_options){.groups = {.items = {"x"}, .n = 1}}));
	cr_assert(strstr(err.msg, "--additional-gids x"));
	cr_assert_null(build(&(struct oci_process_options){.user = "\xff"}));
}

static void resources(const struct oci_resource_options *o, const char *golden)
{
	json_t *root = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(oci_resources_build(o, &root, &err), 0);
	text = json_dumps(root, JSON_COMPACT);
	cr_assert_str_eq(text, golden);
	json_decref(root);
}

Test(oci_resources, of_options)
{
	resources(&(struct oci_resource_options){.memory = "64m", .memory_swap = "-1"},
		  "{\"memory\":{\"limit\":67108864,\"swap\":-1}}");
	resources(&(struct oci_resource_options){.cpu_quota = "-1", .cpuset_cpus = "0-1"},
		  "{\"cpu\":{\"quota\":-1,\"cpus\":\"0-1\"}}");
	resources(&(struct oci_resource_options){.pids_limit = "5", .blkio_weight = "10"},
		  "{\"blockIO\":{\"weight\":10},\"pids\":{\"limit\":5}}");
}

Test(oci_resources, wrong_ones)
{
	static const struct oci_resource_options wrong[] = {
		{0},
		{.memory = "much"},
		{.memory = "-"},
		{.pids_limit = "9223372036854775808"},
		{.cpu_share = "1.5"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *root = NULL;

		err = (struct err)ERR_INIT;
		cr_assert_eq(oci_resources_build(&wrong[i], &root, &err), -EINVAL, "%zu", i);
		cr_assert(err.msg[0] && !root);
	}
}
