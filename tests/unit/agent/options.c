/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "agent/options.h"
#include "common/cleanup.h"

/* protobuf-c has its strings as char *; nothing writes to them. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define PARSE(out, ...)                                                                            \
	options_parse((char *[]){__VA_ARGS__}, ARRAY_SIZE(((char *[]){__VA_ARGS__})), out, &err)

Test(options, attributes)
{
	struct mount_options o;
	struct err err = ERR_INIT;

	cr_assert_eq(PARSE(&o, "nosuid", "nodev", "ro", "mode=755", "rw"), 0);
	cr_assert_eq(o.attr_set, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	cr_assert_eq(o.attr_clr, MOUNT_ATTR_RDONLY);
	cr_assert_eq(o.n_data, 1);
	cr_assert_str_eq(o.data[0], "mode=755");
	cr_assert_eq(o.rec_set | o.rec_clr | o.propagation, 0);
}

/* The access time is one field: the last word on it holds, and nothing of an earlier one. */
Test(options, access_time)
{
	struct mount_options o;
	struct err err = ERR_INIT;

	cr_assert_eq(PARSE(&o, "noatime", "strictatime"), 0);
	cr_assert_eq(o.attr_set & MOUNT_ATTR__ATIME, MOUNT_ATTR_STRICTATIME);
	cr_assert_eq(PARSE(&o, "strictatime", "relatime"), 0);
	cr_assert_eq(o.attr_set & MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME);
	cr_assert_eq(o.attr_clr & MOUNT_ATTR__ATIME, MOUNT_ATTR__ATIME);
}

Test(options, recursive_and_propagation)
{
	struct mount_options o;
	struct err err = ERR_INIT;

	cr_assert_eq(PARSE(&o, "rro", "rnosuid", "rslave", "rbind"), 0);
	cr_assert_eq(o.attr_set, 0);
	cr_assert_eq(o.rec_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	cr_assert_eq(o.propagation, MS_SLAVE);
	cr_assert(o.propagation_rec && o.bind && o.rbind);
	cr_assert_eq(PARSE(&o, "private", "bind", "defaults"), 0);
	cr_assert(o.propagation == MS_PRIVATE && !o.propagation_rec && o.bind && !o.rbind);
	cr_assert_eq(o.n_data, 0);
}

Test(options, extensions)
{
	struct mount_options o;
	struct err err = ERR_INIT;

	cr_assert_eq(PARSE(&o, "tmpcopyup", "idmap", "silent"), 0);
	cr_assert(o.copyup && o.idmap && !o.idmap_rec && !o.n_data);
	cr_assert_eq(PARSE(&o, "ridmap"), 0);
	cr_assert(o.idmap && o.idmap_rec && !o.copyup);
}

Test(options, refused)
{
	struct mount_options o = {.n_data = 42};
	struct err err = ERR_INIT;
	char *many[OPTIONS_MAX_DATA + 1];

	cr_assert_eq(PARSE(&o, "remount"), -ENOSYS);
	cr_assert(strstr(err.msg, "remount"));
	cr_assert_eq(PARSE(&o, "idmap=uids=0-1-1"), -ENOSYS);
	cr_assert_eq(PARSE(&o, "ro", ""), -EINVAL);
	cr_assert_eq(PARSE(&o, "=x"), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "key=value";
	cr_assert_eq(options_parse(many, OPTIONS_MAX_DATA, &o, &err), 0);
	o.n_data = 42;
	cr_assert_eq(options_parse(many, ARRAY_SIZE(many), &o, &err), -E2BIG);
	cr_assert_eq(o.n_data, 42, "the result is untouched on failure");
}

Test(options, propagation_names)
{
	uint64_t flag = 99;
	bool recursive = true;

	cr_assert_eq(options_propagation("", &flag, &recursive), 0);
	cr_assert(!flag && !recursive);
	cr_assert_eq(options_propagation("rshared", &flag, &recursive), 0);
	cr_assert(flag == MS_SHARED && recursive);
	cr_assert_eq(options_propagation("unbindable", &flag, &recursive), 0);
	cr_assert(flag == MS_UNBINDABLE && !recursive);
	cr_assert_eq(options_propagation("r", &flag, &recursive), -EINVAL);
	cr_assert_eq(options_propagation("rprivat", &flag, &recursive), -EINVAL);
}
