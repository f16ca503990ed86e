/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim answers in the form of the host's cgroups, which is what CRI wants; the figures are of the
 * guest's cgroup either way. A field that a cgroup v2 does not have is left at 0, as runc does.
 */
#include "shim/oci_stats.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/budget.h"
#include "metrics1.pb-c.h"
#include "metrics2.pb-c.h"

#define BUDGET (64u << 10)

/* What both have. */
struct figures {
	uint64_t cpu_ns, kernel_ns, user_ns, periods, throttled, throttled_ns;
	uint64_t memory, memory_limit, swap, swap_limit, cache, inactive_file, anon, file;
	uint64_t pids, pids_limit, oom_kill;
};

static int read_v2(const Google__Any *stats, struct figures *f)
{
	Metrics2__Metrics *m = (Metrics2__Metrics *)budget_unpack(
		&metrics2__metrics__descriptor, stats->value.data, stats->value.len, BUDGET);

	if (!m)
		return -EPROTO;
	if (m->cpu) {
		f->cpu_ns = m->cpu->usage_usec * 1000;
		f->kernel_ns = m->cpu->system_usec * 1000;
		f->user_ns = m->cpu->user_usec * 1000;
		f->periods = m->cpu->nr_periods;
		f->throttled = m->cpu->nr_throttled;
		f->throttled_ns = m->cpu->throttled_usec * 1000;
	}
	if (m->memory) {
		f->memory = m->memory->usage;
		f->memory_limit = m->memory->usage_limit;
		f->swap = m->memory->swap_usage;
		f->swap_limit = m->memory->swap_limit;
		f->cache = f->file = m->memory->file;
		f->anon = m->memory->anon;
		f->inactive_file = m->memory->inactive_file;
	}
	if (m->pids) {
		f->pids = m->pids->current;
		f->pids_limit = m->pids->limit;
	}
	f->oom_kill = m->memory_events ? m->memory_events->oom_kill : 0;
	protobuf_c_message_free_unpacked(&m->base, NULL);
	return 0;
}

static int read_v1(const Google__Any *stats, struct figures *f)
{
	Metrics1__Metrics *m = (Metrics1__Metrics *)budget_unpack(
		&metrics1__metrics__descriptor, stats->value.data, stats->value.len, BUDGET);

	if (!m)
		return -EPROTO;
	if (m->cpu && m->cpu->usage) {
		f->cpu_ns = m->cpu->usage->total;
		f->kernel_ns = m->cpu->usage->kernel;
		f->user_ns = m->cpu->usage->user;
	}
	if (m->cpu && m->cpu->throttling) {
		f->periods = m->cpu->throttling->periods;
		f->throttled = m->cpu->throttling->throttled_periods;
		f->throttled_ns = m->cpu->throttling->throttled_time;
	}
	if (m->memory) {
		f->cache = f->file = m->memory->cache;
		f->anon = m->memory->rss;
		f->inactive_file = m->memory->inactive_file;
	}
	if (m->memory && m->memory->usage) {
		f->memory = m->memory->usage->usage;
		f->memory_limit = m->memory->usage->limit;
	}
	if (m->memory && m->memory->swap) {
		f->swap = m->memory->swap->usage;
		f->swap_limit = m->memory->swap->limit;
	}
	if (m->pids) {
		f->pids = m->pids->current;
		f->pids_limit = m->pids->limit;
	}
	protobuf_c_message_free_unpacked(&m->base, NULL);
	return 0;
}

static json_int_t n(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (json_int_t)v;
}

static json_t *data_of(const struct figures *f)
{
	return json_pack("{s:{s:{s:I,s:I,s:I},s:{s:I,s:I,s:I}},"
			 "s:{s:I,s:{s:I,s:I},s:{s:I,s:I},s:{s:I,s:I,s:I}},s:{s:I,s:I}}",
			 "cpu", "usage", "total", n(f->cpu_ns), "kernel", n(f->kernel_ns), "user",
			 n(f->user_ns), "throttling", "periods", n(f->periods), "throttledPeriods",
			 n(f->throttled), "throttledTime", n(f->throttled_ns), "memory", "cache",
			 n(f->cache), "usage", "usage", n(f->memory), "limit", n(f->memory_limit),
			 "swap", "usage", n(f->swap), "limit", n(f->swap_limit), "raw", "anon",
			 n(f->anon), "file", n(f->file), "inactive_file", n(f->inactive_file),
			 "pids", "current", n(f->pids), "limit", n(f->pids_limit));
}

int oci_stats_build(const char *id, const Google__Any *stats, json_t **ret, uint64_t *ret_oom,
		    struct err *err)
{
	struct figures f = {0};
	json_t *root;
	int r = -EPROTO;

	if (stats && strcmp(stats->type_url, "io.containerd.cgroups.v2.Metrics") == 0)
		r = read_v2(stats, &f);
	else if (stats && strcmp(stats->type_url, "io.containerd.cgroups.v1.Metrics") == 0)
		r = read_v1(stats, &f);
	if (r < 0)
		return err_set(err, EPROTO, "the shim's statistics are of no known form");
	root = json_pack("{s:s,s:s,s:o}", "type", "stats", "id", id, "data", data_of(&f));
	if (!root)
		return err_set(err, ENOMEM, "out of memory");
	if (ret_oom)
		*ret_oom = f.oom_kill;
	*ret = root;
	return 0;
}
