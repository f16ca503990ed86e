/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "agent/ps.h"
#include "common/cleanup.h"

static const struct ps_clock ticks = {
	.realtime_ns = 1700000000000000000, .boottime_ns = 100000000000, .tick_ns = 10000000};

Test(ps, stat)
{
	Agent__ProcessRow row = AGENT__PROCESS_ROW__INIT;

	/* Started 60 s after the boot, 40 s ago. */
	cr_assert_eq(parse_ps_stat(
			     "12 (a) S 9 (b) R 3 12 12 34816 12 4194560 1 2 3 4 50 25 7 8 20 0 1 0 "
			     "6000 9 9",
			     &ticks, &row),
		     0);
	cr_assert_eq(row.pid, 12);
	cr_assert_eq(row.ppid, 3);
	cr_assert_eq(row.state, 'R');
	cr_assert_eq(row.tty, 34816);
	cr_assert(row.leader && row.foreground);
	cr_assert_eq(row.cpu_ns, 750000000);
	cr_assert_eq(row.start_ns, 1699999960000000000);
	cr_assert_eq(parse_ps_stat("12 (x) S 3 12 11 0 -1 1 1 2 3 4 0 0 7 8 20 0 1 0 60000 9",
				   &ticks, &row),
		     0);
	cr_assert(!row.leader && !row.foreground);
	cr_assert_eq(row.start_ns, ticks.realtime_ns, "not in the future");
}

Test(ps, wrong_stats)
{
	static const char *const wrong[] = {"",
					    "1",
					    "1 (x",
					    "x (x) S 1",
					    "1 (x) S 1 2 3",
					    "1 (x) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"};
	Agent__ProcessRow row = AGENT__PROCESS_ROW__INIT;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_assert_eq(parse_ps_stat(wrong[i], &ticks, &row), -EINVAL, "%s", wrong[i]);
}

Test(ps, uid)
{
	uint32_t uid = 0;

	cr_assert_eq(parse_ps_uid("Name:\tUid: 9\nUid:\t1\t4294967294\t3\t4\nGid:\t5\n", &uid), 0);
	cr_assert_eq(uid, 4294967294u);
	cr_assert_eq(parse_ps_uid("Name:\tx\n", &uid), -EINVAL);
	cr_assert_eq(parse_ps_uid("Name:\tx\nUid:\tx\n", &uid), -EINVAL);
}

Test(ps, name)
{
	char name[PS_MAX_NAME + 1];

	parse_ps_name("1 (sleep) S", name);
	cr_assert_str_eq(name, "sleep");
	parse_ps_name("1 (k\n) \x1b\xff) S", name);
	cr_assert_str_eq(name, "k?) ??");
	parse_ps_name("1 nothing", name);
	cr_assert_str_eq(name, "");
	parse_ps_name("1 )(", name);
	cr_assert_str_eq(name, "");
	parse_ps_name(
		"1 (0123456789012345678901234567890123456789012345678901234567890123456789) S",
		name);
	cr_assert_eq(strlen(name), PS_MAX_NAME);
}
