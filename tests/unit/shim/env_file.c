/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/env_file.h"

static int collect(const char *entry, void *data)
{
	return strchr(entry, '=') ? env_list_set(data, entry) : env_list_set(data, "ALONE=yes");
}

static int parse(const char *text, size_t size, struct env_list *list, struct err *err)
{
	_cleanup_free_ char *copy = malloc(size + 1);

	memcpy(copy, text, size);
	copy[size] = '\0';
	return env_file_parse(copy, size, collect, list, err);
}

Test(env_file, reads_as_docker_does)
{
	static const char text[] =
		"# a comment\n\n  LED=in\nA=1\r\nB=x y # z\nC=\nA=2=3\nNAME\nlast=q";
	_cleanup_env_list_ struct env_list list = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(parse(text, sizeof(text) - 1, &list, &err), 0, "%s", err.msg);
	cr_assert_eq(list.n, 6);
	cr_assert_str_eq(list.items[0], "LED=in");
	cr_assert_str_eq(list.items[1], "A=2=3", "the last one counts, in the first one's place");
	cr_assert_str_eq(list.items[2], "B=x y # z");
	cr_assert_str_eq(list.items[3], "C=");
	cr_assert_str_eq(list.items[4], "ALONE=yes");
	cr_assert_str_eq(list.items[5], "last=q");
	cr_assert(env_list_has(&list, "A"));
	cr_assert_not(env_list_has(&list, "LAST"));
	cr_assert_not(env_list_has(&list, "l"));
}

Test(env_file, names_the_line_that_is_wrong)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"A=1\n=2\n", "line 2: not a NAME=VALUE"},
		{"A B=1", "line 1: not a NAME=VALUE"},
		{"A\tB", "line 1: not a NAME=VALUE"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_env_list_ struct env_list list = {0};
		struct err err = ERR_INIT;

		cr_assert_eq(parse(cases[i].text, strlen(cases[i].text), &list, &err), -EINVAL);
		cr_assert_str_eq(err.msg, cases[i].message);
	}
}

Test(env_file, refuses_nul_and_endless_files)
{
	_cleanup_env_list_ struct env_list list = {0};
	_cleanup_free_ char *many = malloc(3 * 5000 + 1);
	struct err err = ERR_INIT;

	cr_assert_eq(parse("A=\0B", 4, &list, &err), -EINVAL);
	memset(many, '\n', 3 * 5000);
	cr_assert_eq(parse(many, 3 * 5000, &list, &err), -EINVAL);
	cr_assert_str_eq(err.msg, "more than 4096 lines");
}

Test(env_list, takes_ours_where_an_option_has_no_value)
{
	_cleanup_env_list_ struct env_list list = {0};

	cr_assert_eq(setenv("SBX_TEST_OURS", "a=b", 1), 0);
	cr_assert_eq(unsetenv("SBX_TEST_NONE"), 0);
	cr_assert_eq(env_list_set_option(&list, "SBX_TEST_OURS"), 0);
	cr_assert_eq(env_list_set_option(&list, "SBX_TEST_NONE"), 0);
	cr_assert_eq(env_list_set_option(&list, "C="), 0);
	cr_assert_eq(list.n, 2);
	cr_assert_str_eq(list.items[0], "SBX_TEST_OURS=a=b");
	cr_assert_str_eq(list.items[1], "C=");
}

Test(env_list, is_bounded)
{
	_cleanup_env_list_ struct env_list list = {0};
	char entry[32];
	int r = 0;

	for (int i = 0; i <= ENV_MAX_VARIABLES && r == 0; i++) {
		snprintf(entry, sizeof(entry), "V%d=1", i);
		r = env_list_set(&list, entry);
	}
	cr_assert_eq(r, -E2BIG);
	cr_assert_eq(list.n, ENV_MAX_VARIABLES);
}
