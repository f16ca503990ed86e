/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "metrics1.pb-c.h"
#include "metrics2.pb-c.h"
#include "shim/task_stats.h"

static Agent__StatsResponse numbers(void)
{
	Agent__StatsResponse s = AGENT__STATS_RESPONSE__INIT;

	s.pids = 3;
	s.pids_limit = 40;
	s.cpu_usage_usec = 5;
	s.cpu_user_usec = 3;
	s.cpu_system_usec = 2;
	s.nr_periods = 9;
	s.nr_throttled = 4;
	s.throttled_usec = 7;
	s.memory_usage = 1000;
	s.memory_limit = 2000;
	s.swap_usage = 50;
	s.swap_limit = 100;
	s.memory_anon = 600;
	s.memory_file = 400;
	s.inactive_file = 300;
	s.active_file = 100;
	s.pgfault = 21;
	s.pgmajfault = 22;
	s.io_read_bytes = 4096;
	s.io_write_bytes = 8192;
	s.io_reads = 1;
	s.io_writes = 2;
	s.oom = 31;
	s.oom_kill = 32;
	return s;
}

static Metrics1__Metrics *legacy_form_of(const Agent__StatsResponse *s)
{
	Metrics1__Metrics *m;
	Google__Any any;

	cr_assert_eq(task_stats_pack(s, true, &any), 0);
	cr_assert_str_eq(any.type_url, "io.containerd.cgroups.v1.Metrics");
	m = (Metrics1__Metrics *)protobuf_c_message_unpack(&metrics1__metrics__descriptor, NULL,
							   any.value.len, any.value.data);
	cr_assert_not_null(m);
	free(any.value.data);
	return m;
}

/* The CRI plugin reads the totals of v1, and takes the working set from two of them. */
Test(task_stats, cgroup_v1)
{
	Agent__StatsResponse s = numbers();
	Metrics1__Metrics *m = legacy_form_of(&s);

	cr_assert_eq(m->pids->current, 3);
	cr_assert_eq(m->pids->limit, 40);
	cr_assert_eq(m->cpu->usage->total, 5000);
	cr_assert_eq(m->cpu->usage->user, 3000);
	cr_assert_eq(m->cpu->usage->kernel, 2000);
	cr_assert_eq(m->cpu->throttling->periods, 9);
	cr_assert_eq(m->cpu->throttling->throttled_periods, 4);
	cr_assert_eq(m->cpu->throttling->throttled_time, 7000);
	cr_assert_eq(m->memory->cache, 400);
	cr_assert_eq(m->memory->total_cache, 400);
	cr_assert_eq(m->memory->rss, 600);
	cr_assert_eq(m->memory->total_rss, 600);
	cr_assert_eq(m->memory->total_pg_fault, 21);
	cr_assert_eq(m->memory->total_pg_maj_fault, 22);
	cr_assert_eq(m->memory->total_inactive_file, 300);
	cr_assert_eq(m->memory->total_active_file, 100);
	cr_assert_eq(m->memory->usage->usage, 1000);
	cr_assert_eq(m->memory->usage->limit, 2000);
	cr_assert_eq(m->memory->swap->usage, 1050);
	cr_assert_eq(m->memory->swap->limit, 2100);
	cr_assert_eq(m->blkio->n_io_service_bytes_recursive, 2);
	cr_assert_str_eq(m->blkio->io_service_bytes_recursive[0]->op, "Read");
	cr_assert_eq(m->blkio->io_service_bytes_recursive[0]->value, 4096);
	cr_assert_str_eq(m->blkio->io_service_bytes_recursive[1]->op, "Write");
	cr_assert_eq(m->blkio->io_service_bytes_recursive[1]->value, 8192);
	cr_assert_eq(m->blkio->io_serviced_recursive[0]->value, 1);
	cr_assert_eq(m->blkio->io_serviced_recursive[1]->value, 2);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

/* No limit is 0 processes in v1, and the largest number of bytes, which no sum goes beyond. */
Test(task_stats, cgroup_v1_without_limits)
{
	Agent__StatsResponse s = numbers();
	Metrics1__Metrics *m;

	s.pids_limit = s.swap_limit = UINT64_MAX;
	m = legacy_form_of(&s);
	cr_assert_eq(m->pids->limit, 0);
	cr_assert_eq(m->memory->swap->limit, UINT64_MAX);
	protobuf_c_message_free_unpacked(&m->base, NULL);

	s.memory_limit = UINT64_MAX;
	s.swap_limit = 0;
	m = legacy_form_of(&s);
	cr_assert_eq(m->memory->usage->limit, UINT64_MAX);
	cr_assert_eq(m->memory->swap->limit, UINT64_MAX);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

Test(task_stats, cgroup_v2)
{
	Agent__StatsResponse s = numbers();
	Metrics2__Metrics *m;
	Google__Any any;

	s.pids_limit = UINT64_MAX;
	cr_assert_eq(task_stats_pack(&s, false, &any), 0);
	cr_assert_str_eq(any.type_url, "io.containerd.cgroups.v2.Metrics");
	m = (Metrics2__Metrics *)protobuf_c_message_unpack(&metrics2__metrics__descriptor, NULL,
							   any.value.len, any.value.data);
	cr_assert_not_null(m);
	free(any.value.data);
	cr_assert_eq(m->pids->current, 3);
	cr_assert_eq(m->pids->limit, UINT64_MAX);
	cr_assert_eq(m->cpu->usage_usec, 5);
	cr_assert_eq(m->cpu->throttled_usec, 7);
	cr_assert_eq(m->memory->usage, 1000);
	cr_assert_eq(m->memory->usage_limit, 2000);
	cr_assert_eq(m->memory->swap_usage, 50);
	cr_assert_eq(m->memory->swap_limit, 100);
	cr_assert_eq(m->memory->anon, 600);
	cr_assert_eq(m->memory->inactive_file, 300);
	cr_assert_eq(m->io->n_usage, 1);
	cr_assert_eq(m->io->usage[0]->rbytes, 4096);
	cr_assert_eq(m->io->usage[0]->wbytes, 8192);
	cr_assert_eq(m->io->usage[0]->rios, 1);
	cr_assert_eq(m->io->usage[0]->wios, 2);
	cr_assert_eq(m->memory_events->oom, 31);
	cr_assert_eq(m->memory_events->oom_kill, 32);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}
