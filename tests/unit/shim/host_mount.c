/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "shim/host_mount.h"

Test(host_mount, words_and_data)
{
	const char *const options[] = {
		"ro", "lowerdir=/a:/b", "rbind", "nosuid", "upperdir=/u", "rw", "suid"};
	struct host_mount_options o;

	cr_assert_eq(host_mount_parse((char *const *)options, 7, &o, NULL), 0);
	cr_assert_eq(o.flags, MS_BIND | MS_REC);
	cr_assert_str_eq(o.data, "lowerdir=/a:/b,upperdir=/u");
}

Test(host_mount, a_page_at_most)
{
	static char large[4096];
	char *options[] = {large};
	struct host_mount_options o;
	struct err err = ERR_INIT;

	memset(large, 'x', sizeof(large) - 1);
	cr_assert_eq(host_mount_parse(options, 1, &o, &err), -E2BIG);
	large[sizeof(large) - 2] = '\0';
	cr_assert_eq(host_mount_parse(options, 1, &o, &err), 0);
	cr_assert_eq(strlen(o.data), 4094);
}
