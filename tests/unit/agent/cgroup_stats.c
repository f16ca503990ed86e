/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "agent/cgroup.h"

Test(cgroup_stats, the_disks_are_added_up)
{
	char text[] = "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
		      "254:16 \n"
		      "254:32 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n";
	Agent__StatsResponse stats = AGENT__STATS_RESPONSE__INIT;

	cgroup_sum_io(text, &stats);
	cr_assert_eq(stats.io_read_bytes, 4097);
	cr_assert_eq(stats.io_write_bytes, 8194);
	cr_assert_eq(stats.io_reads, 4);
	cr_assert_eq(stats.io_writes, 6);
}

Test(cgroup_stats, what_is_no_number_counts_nothing)
{
	char text[] = "rbytes= wbytes=x rios=-1 wios=18446744073709551616\nrbytes=1";
	Agent__StatsResponse stats = AGENT__STATS_RESPONSE__INIT;

	cgroup_sum_io(text, &stats);
	cr_assert_eq(stats.io_read_bytes, 1);
	cr_assert_eq(stats.io_write_bytes + stats.io_reads + stats.io_writes, 0);
}
