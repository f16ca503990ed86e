/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/uri.h"

Test(uri, a_files_path)
{
	static const char *const cases[][2] = {
		{"file:///var/log/a", "/var/log/a"},
		{"file:///with%20space%2Fand%25", "/with space/and%"},
		{"file:///a+b", "/a+b"},
		{"file:///a?key=value", "/a"},
		{"file:///a#fragment", "/a"},
		{"file:///a%3Fb", "/a?b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = NULL;
		struct err err = ERR_INIT;

		cr_assert_eq(uri_file_path(cases[i][0], &path, &err), 0, "%s", err.msg);
		cr_assert_str_eq(path, cases[i][1]);
	}
}

Test(uri, refuses)
{
	static const char *const cases[] = {
		"file://relative", "file://",     "file://host/path",
		"file:///a%",      "file:///a%4", "file:///a%zz",
		"file:///a%00b",   "fifo:///a",   "file://?a=/b",
	};
	char *path = NULL, *longest = calloc(1, URI_MAX + 2);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(uri_file_path(cases[i], &path, &err), -EINVAL, "%s", cases[i]);
	memset(longest, '/', URI_MAX + 1);
	memcpy(longest, URI_FILE, strlen(URI_FILE));
	cr_assert_eq(uri_file_path(longest, &path, &err), -EINVAL);
	cr_assert_null(path);
	free(longest);
}
