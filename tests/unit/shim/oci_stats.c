/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "metrics1.pb-c.h"
#include "metrics2.pb-c.h"
#include "shim/oci_stats.h"

#define V1 "io.containerd.cgroups.v1.Metrics"
#define V2 "io.containerd.cgroups.v2.Metrics"

static uint64_t oom;

static int build_from(const char *type, uint8_t *data, size_t size, json_t **ret)
{
	Google__Any any = GOOGLE__ANY__INIT;
	struct err err = ERR_INIT;
	int r;

	any.type_url = (char *)(uintptr_t)type;
	any.value.data = data;
	any.value.len = size;
	oom = 77;
	r = oci_stats_build("c1", &any, ret, &oom, &err);
	if (r < 0)
		cr_assert(strstr(err.msg, "no known form"), "%s", err.msg);
	return r;
}

/* "data" of the line that is made of a message. */
static char *data_of(const char *type, const ProtobufCMessage *msg)
{
	size_t size = protobuf_c_message_get_packed_size(msg);
	_cleanup_free_ uint8_t *buf = malloc(size + 1);
	json_t *line = NULL;
	char *text;

	protobuf_c_message_pack(msg, buf);
	cr_assert_eq(build_from(type, buf, size, &line), 0);
	cr_assert_str_eq(json_string_value(json_object_get(line, "type")), "stats");
	cr_assert_str_eq(json_string_value(json_object_get(line, "id")), "c1");
	text = json_dumps(json_object_get(line, "data"), JSON_COMPACT);
	json_decref(line);
	return text;
}

Test(oci_stats, cgroup_v2)
{
	Metrics2__Metrics m = METRICS2__METRICS__INIT;
	Metrics2__CPUStat cpu = METRICS2__CPUSTAT__INIT;
	Metrics2__MemoryStat memory = METRICS2__MEMORY_STAT__INIT;
	Metrics2__MemoryEvents events = METRICS2__MEMORY_EVENTS__INIT;
	Metrics2__PidsStat pids = METRICS2__PIDS_STAT__INIT;
	_cleanup_free_ char *text = NULL;

	cpu.usage_usec = 5;
	cpu.user_usec = 3;
	cpu.system_usec = 2;
	cpu.nr_periods = 9;
	cpu.nr_throttled = 4;
	cpu.throttled_usec = 7;
	memory.usage = 100;
	memory.usage_limit = 200;
	memory.swap_usage = 1;
	memory.swap_limit = UINT64_MAX;
	memory.file = 30;
	memory.anon = 40;
	memory.inactive_file = 20;
	events.oom_kill = 6;
	pids.current = 11;
	pids.limit = 12;
	m.cpu = &cpu;
	m.memory = &memory;
	m.memory_events = &events;
	m.pids = &pids;
	text = data_of(V2, &m.base);
	cr_assert_str_eq(
		text,
		"{\"cpu\":{\"usage\":{\"total\":5000,\"kernel\":2000,\"user\":3000},\"throttling\":"
		"{\"periods\":9,\"throttledPeriods\":4,\"throttledTime\":7000}},"
		"\"memory\":{\"cache\":30,\"usage\":{\"usage\":100,\"limit\":200},"
		"\"swap\":{\"usage\":1,\"limit\":9223372036854775807},"
		"\"raw\":{\"anon\":40,\"file\":30,\"inactive_file\":20}},"
		"\"pids\":{\"current\":11,\"limit\":12}}");
	cr_assert_eq(oom, 6);
}

Test(oci_stats, cgroup_v1)
{
	Metrics1__Metrics m = METRICS1__METRICS__INIT;
	Metrics1__CPUStat cpu = METRICS1__CPUSTAT__INIT;
	Metrics1__CPUUsage usage = METRICS1__CPUUSAGE__INIT;
	Metrics1__MemoryStat memory = METRICS1__MEMORY_STAT__INIT;
	Metrics1__MemoryEntry entry = METRICS1__MEMORY_ENTRY__INIT;
	_cleanup_free_ char *text = NULL;

	usage.total = 5;
	usage.kernel = 2;
	usage.user = 3;
	cpu.usage = &usage;
	entry.usage = 100;
	entry.limit = 200;
	memory.cache = 30;
	memory.rss = 40;
	memory.usage = &entry;
	m.cpu = &cpu;
	m.memory = &memory;
	text = data_of(V1, &m.base);
	cr_assert(strstr(text, "\"usage\":{\"total\":5,\"kernel\":2,\"user\":3}"), "%s", text);
	cr_assert(strstr(text, "\"usage\":{\"usage\":100,\"limit\":200}"), "%s", text);
	cr_assert(strstr(text, "\"raw\":{\"anon\":40,\"file\":30,\"inactive_file\":0}"), "%s",
		  text);
	cr_assert_eq(oom, 0);
}

/* What a container lacks a controller for is 0, not a missing member. */
Test(oci_stats, nothing_is_known)
{
	Metrics1__Metrics one = METRICS1__METRICS__INIT;
	Metrics2__Metrics two = METRICS2__METRICS__INIT;
	_cleanup_free_ char *first = data_of(V1, &one.base);
	_cleanup_free_ char *second = data_of(V2, &two.base);

	cr_assert_str_eq(first, second);
	cr_assert(strstr(first, "\"pids\":{\"current\":0,\"limit\":0}"), "%s", first);
}

Test(oci_stats, what_is_no_answer)
{
	uint8_t garbage[] = {0xff, 0xff, 0xff};
	struct err err = ERR_INIT;
	json_t *line = NULL;

	cr_assert_eq(build_from(V2, garbage, sizeof(garbage), &line), -EPROTO);
	cr_assert_eq(build_from(V1, garbage, sizeof(garbage), &line), -EPROTO);
	cr_assert_eq(build_from("io.containerd.cgroups.v3.Metrics", NULL, 0, &line), -EPROTO);
	cr_assert_eq(oci_stats_build("c1", NULL, &line, NULL, &err), -EPROTO);
	cr_assert_null(line);
	cr_assert_eq(oom, 77);
}
