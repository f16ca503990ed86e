/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "agent/caps.h"
#include "agent/plan.h"
#include "agent/rlimit.h"

/* protobuf-c has its strings as char *; nothing writes to them. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

Test(names, capabilities)
{
	char *names[] = {"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"};
	struct err err = ERR_INIT;
	uint64_t mask = 7;

	cr_assert_eq(caps_parse(names, 3, &mask, &err), 0);
	cr_assert_eq(mask,
		     1ull << CAP_CHOWN | 1ull << CAP_SYS_ADMIN | 1ull << CAP_CHECKPOINT_RESTORE);
	cr_assert_eq(caps_parse(NULL, 0, &mask, &err), 0);
	cr_assert_eq(mask, 0);
}

Test(names, no_such_capability)
{
	static char *const wrong[] = {"CHOWN",
				      "cap_chown",
				      "CAP_",
				      "CAP_NOTHING",
				      "",
				      "0",
				      "CAP_0",
				      "CAP_CHOWN,CAP_KILL",
				      "CAP_A_NAME_THAT_IS_LONGER_THAN_ANY_CAPABILITY_COULD_BE"};
	struct err err = ERR_INIT;
	uint64_t mask = 7;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_assert_eq(caps_parse(&wrong[i], 1, &mask, &err), -EINVAL, "%s", wrong[i]);
		cr_assert_eq(mask, 7);
	}
	cr_assert(strstr(err.msg, "no such capability"));
}

Test(names, rlimits)
{
	cr_assert_eq(rlimit_parse("RLIMIT_NOFILE"), RLIMIT_NOFILE);
	cr_assert_eq(rlimit_parse("RLIMIT_CPU"), RLIMIT_CPU);
	cr_assert_eq(rlimit_parse("RLIMIT_RTTIME"), RLIMIT_RTTIME);
	cr_assert_eq(rlimit_parse("NOFILE"), -EINVAL);
	cr_assert_eq(rlimit_parse("RLIMIT_"), -EINVAL);
	cr_assert_eq(rlimit_parse("RLIMIT_NOFILES"), -EINVAL);
}

Test(names, id_maps)
{
	static const struct plan_idmap maps[] = {{0, 1000, 1}, {1, 100000, 65536}};

	cr_assert_eq(plan_map_id(maps, 2, 0), 1000);
	cr_assert_eq(plan_map_id(maps, 2, 1), 100000);
	cr_assert_eq(plan_map_id(maps, 2, 65536), 165535);
	cr_assert_eq(plan_map_id(maps, 2, 65537), -1);
	cr_assert_eq(plan_map_id(maps, 0, 0), -1);
}

Test(names, ids)
{
	char longest[130];

	memset(longest, 'a', 128);
	longest[128] = 0;
	cr_assert(plan_is_id(longest));
	memset(longest, 'a', 129);
	longest[129] = 0;
	cr_assert_not(plan_is_id(longest));
	cr_assert(plan_is_id("a"));
	cr_assert(plan_is_id("0.b_c-d+e"));
	cr_assert_not(plan_is_id(""));
	cr_assert_not(plan_is_id("."));
	cr_assert_not(plan_is_id(".."));
	cr_assert_not(plan_is_id("-x"));
	cr_assert_not(plan_is_id("a/b"));
	cr_assert_not(plan_is_id("a b"));
	cr_assert_not(plan_is_id("a\n"));
}
