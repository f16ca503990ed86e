/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/record.h"

Test(record, comes_back_as_it_went)
{
	const char *args[] = {"sh", "-c", "echo \"\n\""};
	const struct record in = {
		.id = "0123456789ab",
		.namespace = "sbx",
		.name = "web",
		.image = "builtin",
		.args = {.items = args, .n = 3},
		.error = "why",
		.status = RECORD_STOPPED,
		.created_ns = 1795288267385000001,
		.started_ns = 2,
		.exited_ns = 3,
		.exit_status = 137,
		.detached = true,
		.remove = true,
		.shim_pid = 12,
		.vmm_pid = 13,
	};
	_cleanup_record_ struct record out = {0};
	_cleanup_free_ char *text = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(record_encode(&in, &text), 0);
	cr_assert_eq(record_parse(text, strlen(text), &out, &err), 0, "%s", err.msg);
	cr_assert_str_eq(out.id, in.id);
	cr_assert_str_eq(out.name, in.name);
	cr_assert_str_eq(out.error, in.error);
	cr_assert_eq(out.args.n, 3);
	cr_assert_str_eq(((const char **)out.args.items)[2], args[2]);
	cr_assert_eq(out.status, in.status);
	cr_assert_eq(out.created_ns, in.created_ns);
	cr_assert_eq(out.exited_ns, in.exited_ns);
	cr_assert_eq(out.exit_status, in.exit_status);
	cr_assert_eq(out.shim_pid, in.shim_pid);
	cr_assert(out.detached && out.remove);
}

Test(record, leaves_out_what_is_not_known_yet)
{
	const struct record in = {.id = "a", .namespace = "sbx"};
	_cleanup_record_ struct record out = {0};
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(record_encode(&in, &text), 0);
	cr_assert_null(strstr(text, "exitStatus"));
	cr_assert_null(strstr(text, "startedAtNs"));
	cr_assert_eq(record_parse(text, strlen(text), &out, NULL), 0);
	cr_assert_null(out.name);
	cr_assert_eq(out.started_ns, 0);
}

Test(record, an_argument_that_is_not_utf8_does_not_lose_the_record)
{
	const char *args[] = {"\xff\xfe"};
	const struct record in = {.id = "a", .namespace = "sbx", .args = {.items = args, .n = 1}};
	_cleanup_record_ struct record out = {0};
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(record_encode(&in, &text), 0);
	cr_assert_eq(record_parse(text, strlen(text), &out, NULL), 0);
	cr_assert_str_eq(((const char **)out.args.items)[0], "?");
}

Test(record, refuses_what_is_broken)
{
	static const char *const broken[] = {
		"",
		"{}",
		"{\"id\":\"a\",\"namespace\":\"n\"}",
		"{\"id\":\"a\",\"namespace\":\"n\",\"status\":\"gone\"}",
		"{\"id\":\"a\",\"namespace\":\"n\",\"status\":\"running\",\"more\":1}",
		"{\"id\":\"a\",\"namespace\":\"n\",\"status\":\"running\",\"exitStatus\":256}",
		"{\"id\":\"a\",\"namespace\":\"n\",\"status\":\"running\",\"shimPid\":-1}",
		"{\"id\":1,\"namespace\":\"n\",\"status\":\"running\"}",
		"{\"id\":\"a\",\"namespace\":\"n\",\"status\":\"running\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct record out = {.exit_status = 42};
		struct err err = ERR_INIT;

		cr_assert_lt(record_parse(broken[i], strlen(broken[i]), &out, &err), 0, "%s",
			     broken[i]);
		cr_assert_eq(out.exit_status, 42, "untouched on failure");
		cr_assert_neq(err.code, 0);
	}
}
