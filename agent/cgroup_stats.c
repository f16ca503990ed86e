/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/opts.h"

#define MAX_FILE 16384

uint64_t cgroup_value(int fd, const char *file, const char *key)
{
	_cleanup_free_ char *text = NULL;
	size_t key_len = key ? strlen(key) : 0;
	char *line, *save = NULL;
	uint64_t v;

	if (io_read_file(fd, file, MAX_FILE, &text, NULL) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (key && (strncmp(line, key, key_len) != 0 || line[key_len] != ' '))
			continue;
		if (key)
			line += key_len + 1;
		if (!strcmp(line, "max"))
			return UINT64_MAX;
		return parse_uint(line, &v) < 0 ? 0 : v;
	}
	return 0;
}

/* Of one device: "8:0 rbytes=1 wbytes=2 rios=3 ...". */
static void add_io(char *line, Agent__StatsResponse *ret)
{
	const struct {
		const char *key;
		uint64_t *to;
	} rows[] = {
		{"rbytes=", &ret->io_read_bytes},
		{"wbytes=", &ret->io_write_bytes},
		{"rios=", &ret->io_reads},
		{"wios=", &ret->io_writes},
	};
	char *save = NULL;
	uint64_t v;

	for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			size_t n = strlen(rows[i].key);

			if (!strncmp(word, rows[i].key, n) && parse_uint(word + n, &v) == 0)
				*rows[i].to += v;
		}
	}
}

void cgroup_sum_io(char *text, Agent__StatsResponse *ret)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_io(line, ret);
}

void cgroup_stats(int fd, Agent__StatsResponse *ret)
{
	_cleanup_free_ char *io = NULL;

	const struct {
		const char *file, *key;
		uint64_t *to;
	} rows[] = {
		{"cpu.stat", "usage_usec", &ret->cpu_usage_usec},
		{"cpu.stat", "user_usec", &ret->cpu_user_usec},
		{"cpu.stat", "system_usec", &ret->cpu_system_usec},
		{"cpu.stat", "nr_periods", &ret->nr_periods},
		{"cpu.stat", "nr_throttled", &ret->nr_throttled},
		{"cpu.stat", "throttled_usec", &ret->throttled_usec},
		{"memory.current", NULL, &ret->memory_usage},
		{"memory.max", NULL, &ret->memory_limit},
		{"memory.swap.current", NULL, &ret->swap_usage},
		{"memory.swap.max", NULL, &ret->swap_limit},
		{"memory.stat", "anon", &ret->memory_anon},
		{"memory.stat", "file", &ret->memory_file},
		{"memory.stat", "inactive_file", &ret->inactive_file},
		{"memory.stat", "active_file", &ret->active_file},
		{"memory.stat", "pgfault", &ret->pgfault},
		{"memory.stat", "pgmajfault", &ret->pgmajfault},
		{"memory.events", "oom", &ret->oom},
		{"memory.events", "oom_kill", &ret->oom_kill},
		{"pids.current", NULL, &ret->pids},
		{"pids.max", NULL, &ret->pids_limit},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		*rows[i].to = cgroup_value(fd, rows[i].file, rows[i].key);
	if (io_read_file(fd, "io.stat", MAX_FILE, &io, NULL) >= 0)
		cgroup_sum_io(io, ret);
}
