/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/task_stats.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "common/cleanup.h"
#include "common/rpc.h"
#include "metrics1.pb-c.h"
#include "metrics2.pb-c.h"
#include "task.pb-c.h"

bool task_stats_legacy(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC;
}

static int pack(const ProtobufCMessage *metrics, Google__Any *ret)
{
	uint8_t *data = malloc(protobuf_c_message_get_packed_size(metrics) + 1);

	if (!data)
		return -ENOMEM;
	google__any__init(ret);
	ret->type_url = (char *)(uintptr_t)metrics->descriptor->name;
	ret->value.len = protobuf_c_message_pack(metrics, data);
	ret->value.data = data;
	return 0;
}

static int pack_v2(const Agent__StatsResponse *s, Google__Any *ret)
{
	Metrics2__Metrics metrics = METRICS2__METRICS__INIT;
	Metrics2__PidsStat pids = METRICS2__PIDS_STAT__INIT;
	Metrics2__CPUStat cpu = METRICS2__CPUSTAT__INIT;
	Metrics2__MemoryStat memory = METRICS2__MEMORY_STAT__INIT;
	Metrics2__MemoryEvents events = METRICS2__MEMORY_EVENTS__INIT;
	/* nerdctl looks into it unasked. One for all of the guest's disks, which nobody outside knows apart. */
	Metrics2__IOEntry entry = METRICS2__IOENTRY__INIT, *disks = &entry;
	Metrics2__IOStat io = METRICS2__IOSTAT__INIT;

	pids.current = s->pids;
	pids.limit = s->pids_limit;
	cpu.usage_usec = s->cpu_usage_usec;
	cpu.user_usec = s->cpu_user_usec;
	cpu.system_usec = s->cpu_system_usec;
	cpu.nr_periods = s->nr_periods;
	cpu.nr_throttled = s->nr_throttled;
	cpu.throttled_usec = s->throttled_usec;
	memory.usage = s->memory_usage;
	memory.usage_limit = s->memory_limit;
	memory.swap_usage = s->swap_usage;
	memory.swap_limit = s->swap_limit;
	memory.anon = s->memory_anon;
	memory.file = s->memory_file;
	memory.inactive_file = s->inactive_file;
	memory.active_file = s->active_file;
	memory.pgfault = s->pgfault;
	memory.pgmajfault = s->pgmajfault;
	events.oom = s->oom;
	events.oom_kill = s->oom_kill;
	entry.rbytes = s->io_read_bytes;
	entry.wbytes = s->io_write_bytes;
	entry.rios = s->io_reads;
	entry.wios = s->io_writes;
	io.usage = &disks;
	io.n_usage = 1;
	metrics.pids = &pids;
	metrics.cpu = &cpu;
	metrics.memory = &memory;
	metrics.io = &io;
	metrics.memory_events = &events;
	return pack(&metrics.base, ret);
}

static Metrics1__BlkIOEntry blkio_entry(const char *op, uint64_t value)
{
	Metrics1__BlkIOEntry entry = METRICS1__BLK_IOENTRY__INIT;

	entry.op = (char *)(uintptr_t)op;
	entry.value = value;
	return entry;
}

static int pack_v1(const Agent__StatsResponse *s, Google__Any *ret)
{
	Metrics1__Metrics metrics = METRICS1__METRICS__INIT;
	Metrics1__PidsStat pids = METRICS1__PIDS_STAT__INIT;
	Metrics1__CPUStat cpu = METRICS1__CPUSTAT__INIT;
	Metrics1__CPUUsage usage = METRICS1__CPUUSAGE__INIT;
	Metrics1__Throttle throttle = METRICS1__THROTTLE__INIT;
	Metrics1__MemoryStat memory = METRICS1__MEMORY_STAT__INIT;
	Metrics1__MemoryEntry used = METRICS1__MEMORY_ENTRY__INIT;
	Metrics1__MemoryEntry swap = METRICS1__MEMORY_ENTRY__INIT;
	Metrics1__BlkIOStat blkio = METRICS1__BLK_IOSTAT__INIT;
	Metrics1__BlkIOEntry entries[] = {
		blkio_entry("Read", s->io_read_bytes),
		blkio_entry("Write", s->io_write_bytes),
		blkio_entry("Read", s->io_reads),
		blkio_entry("Write", s->io_writes),
	};
	Metrics1__BlkIOEntry *of[] = {&entries[0], &entries[1], &entries[2], &entries[3]};

	pids.current = s->pids;
	/* None, in v1. */
	pids.limit = s->pids_limit == UINT64_MAX ? 0 : s->pids_limit;
	usage.total = s->cpu_usage_usec * 1000;
	usage.user = s->cpu_user_usec * 1000;
	usage.kernel = s->cpu_system_usec * 1000;
	throttle.periods = s->nr_periods;
	throttle.throttled_periods = s->nr_throttled;
	throttle.throttled_time = s->throttled_usec * 1000;
	cpu.usage = &usage;
	cpu.throttling = &throttle;
	/* CRI reads the totals, which are of all groups below: there is none. */
	memory.cache = memory.total_cache = s->memory_file;
	memory.rss = memory.total_rss = s->memory_anon;
	memory.pg_fault = memory.total_pg_fault = s->pgfault;
	memory.pg_maj_fault = memory.total_pg_maj_fault = s->pgmajfault;
	memory.inactive_file = memory.total_inactive_file = s->inactive_file;
	memory.active_file = memory.total_active_file = s->active_file;
	used.usage = s->memory_usage;
	used.limit = s->memory_limit;
	/* v1 counts memory and swap together. */
	swap.usage = s->memory_usage + s->swap_usage;
	swap.limit = s->swap_limit > UINT64_MAX - s->memory_limit ? UINT64_MAX
								  : s->memory_limit + s->swap_limit;
	memory.usage = &used;
	memory.swap = &swap;
	metrics.pids = &pids;
	metrics.cpu = &cpu;
	metrics.memory = &memory;
	blkio.io_service_bytes_recursive = &of[0];
	blkio.io_serviced_recursive = &of[2];
	blkio.n_io_service_bytes_recursive = blkio.n_io_serviced_recursive = 2;
	metrics.blkio = &blkio;
	return pack(&metrics.base, ret);
}

int task_stats_pack(const Agent__StatsResponse *stats, bool legacy, Google__Any *ret)
{
	return legacy ? pack_v1(stats, ret) : pack_v2(stats, ret);
}

void task_stats_reply(struct rpc_call *call, const Agent__StatsResponse *stats, bool legacy)
{
	Task__StatsResponse response = TASK__STATS_RESPONSE__INIT;
	struct err err = ERR_INIT;
	Google__Any any;

	if (task_stats_pack(stats, legacy, &any) < 0) {
		err_set(&err, ENOMEM, "out of memory");
		rpc_fail(call, &err);
		return;
	}
	response.stats = &any;
	rpc_reply(call, &response.base);
	free(any.value.data);
}
