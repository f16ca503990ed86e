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

Test(ps, command)
{
	char text[16];

	format_ps_command("sleep\0001d\0", 9, "1 (sleep) S", text, sizeof(text));
	cr_assert_str_eq(text, "sleep 1d");
	format_ps_command("a\x1b\n\xff", 4, "", text, sizeof(text));
	cr_assert_str_eq(text, "a???");
	format_ps_command("\0\0", 2, "1 (k\n) x) S", text, sizeof(text));
	cr_assert_str_eq(text, "[k?) x]");
	format_ps_command("", 0, "1 nothing", text, sizeof(text));
	cr_assert_str_eq(text, "");
	format_ps_command("0123456789abcdefgh", 18, "", text, sizeof(text));
	cr_assert_str_eq(text, "0123456789abcde");
	format_ps_command("", 0, "1 (0123456789abcdefgh) S", text, sizeof(text));
	cr_assert_str_eq(text, "[0123456789abcd");
}
