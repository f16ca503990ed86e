/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/oci_log.h"
#include "shim/oci_record.h"

static struct json_pair pairs[] = {{"my.key", "my value"}, {"other", ""}};

static const struct oci_record record = {
	.oci_version = "1.0.2",
	.id = "c1",
	.bundle = "/b",
	.rootfs = "/b/rootfs",
	.pod = "c0",
	.cgroups_path = "/x/c1",
	.annotations = {.items = pairs, .n = 2},
	.created_ns = 1700000000123456789,
	.pid = 4711,
	.pid_started = 815,
};

Test(oci_record, round_trip)
{
	_cleanup_oci_record_ struct oci_record back = {0};
	_cleanup_free_ char *text = NULL;
	struct err err = ERR_INIT;
	const struct json_pair *annotations;

	cr_assert_eq(oci_record_encode(&record, &text), 0);
	cr_assert_eq(oci_record_parse(text, strlen(text), &back, &err), 0, "%s", err.msg);
	cr_assert_str_eq(back.id, "c1");
	cr_assert_str_eq(back.bundle, "/b");
	cr_assert_str_eq(back.rootfs, "/b/rootfs");
	cr_assert_str_eq(back.pod, "c0");
	cr_assert_str_eq(back.cgroups_path, "/x/c1");
	cr_assert_eq(back.created_ns, record.created_ns);
	cr_assert_eq(back.pid, 4711);
	cr_assert_eq(back.pid_started, 815);
	cr_assert_eq(back.annotations.n, 2);
	annotations = back.annotations.items;
	cr_assert_str_eq(annotations[0].key, "my.key");
	cr_assert_str_eq(annotations[0].value, "my value");
}

Test(oci_record, wrong_ones)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"bundle\":\"/b\",\"rootfs\":\"/r\"}",
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"bundle\":\"/b\",\"rootfs\":\"/r\",\"pod\":1}",
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"bundle\":\"/b\",\"rootfs\":\"/"
		"r\",\"pod\":\"p\","
		"\"pid\":-1}",
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"bundle\":\"/b\",\"rootfs\":\"/"
		"r\",\"pod\":\"p\","
		"\"surprise\":1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct oci_record back = {0};
		struct err err = ERR_INIT;

		cr_assert_eq(oci_record_parse(texts[i], strlen(texts[i]), &back, &err), -EINVAL,
			     "%s", texts[i]);
		cr_assert(err.msg[0]);
	}
}

Test(oci_record, state)
{
	static const char golden[] =
		"{\"ociVersion\":\"1.0.2\",\"id\":\"c1\",\"pid\":4711,\"status\":\"running\","
		"\"bundle\":\"/b\",\"rootfs\":\"/b/rootfs\","
		"\"created\":\"2023-11-14T22:13:20.123456789Z\","
		"\"annotations\":{\"my.key\":\"my value\",\"other\":\"\"},\"owner\":\"\"}";
	json_t *state = oci_record_state(&record, "running");
	_cleanup_free_ char *text = json_dumps(state, JSON_COMPACT);

	cr_assert_str_eq(text, golden);
	json_decref(state);
}

Test(oci_record, stopped_has_no_pid)
{
	json_t *state = oci_record_state(&record, "stopped");

	cr_assert_eq(json_integer_value(json_object_get(state, "pid")), 0);
	cr_assert_str_eq(json_string_value(json_object_get(state, "status")), "stopped");
	json_decref(state);
}

Test(oci_record, start_time)
{
	static const char *const wrong[] = {
		"",
		"1",
		"1 (x",
		"1 (x) S 2 3",
		"1 (x) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 -5 9",
		"1 (x) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 99999999999999999999 9",
		"1 (x) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 5",
	};
	uint64_t v = 0;

	cr_assert_eq(parse_start_time("1 (a) b (c) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 77 9", &v),
		     0);
	cr_assert_eq(v, 77);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_assert_eq(parse_start_time(wrong[i], &v), -EINVAL, "%s", wrong[i]);
}

Test(oci_log, lines)
{
	static const struct timespec at = {.tv_sec = 1700000000, .tv_nsec = 5};
	_cleanup_free_ char *text = oci_log_line(false, "error", "it \"broke\"\nlevel=info", &at);
	_cleanup_free_ char *json = oci_log_line(true, "error", "it \"broke\"", &at);
	_cleanup_free_ char *bytes = oci_log_line(true, "warning", "a\xff\x1b", &at);

	cr_assert_str_eq(text, "time=\"2023-11-14T22:13:20.000000005Z\" level=error "
			       "msg=\"it \\\"broke\\\"?level=info\"\n");
	cr_assert_str_eq(json, "{\"level\":\"error\",\"msg\":\"it \\\"broke\\\"\","
			       "\"time\":\"2023-11-14T22:13:20.000000005Z\"}\n");
	cr_assert_str_eq(bytes, "{\"level\":\"warning\",\"msg\":\"a??\","
				"\"time\":\"2023-11-14T22:13:20.000000005Z\"}\n");
}
