/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci events: statistics at intervals, and a line where a process died for want of memory. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "shim/oci_container.h"
#include "shim/oci_stats.h"

struct events_options {
	uint64_t interval_ns;
	bool stats;
};

static const struct opt rows[] = {
	CLI_OPT(events_options, 0, "interval", TIME, interval_ns, "TIME",
		"between two of them (default: 5s)", .min = 1000000),
	CLI_OPT(events_options, 0, "stats", FLAG, stats, NULL, "print them once"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci events [options] CONTAINER", rows, .permute = true);

static void print(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT);
	puts("");
	fflush(stdout);
}

/* *oom: how many had died by the last call; UINT64_MAX: there was none, and nothing of it is news. */
static int print_stats(struct oci_container *container, uint64_t *oom, struct err *err)
{
	Task__StatsRequest request = TASK__STATS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	json_t *line = NULL;
	uint64_t now = 0;
	int r;

	request.id = (char *)(uintptr_t)container->record.id;
	r = cli_task(&container->shim, "Stats", &request.base, NULL, 0, &reply, err);
	if (r < 0)
		return r;
	r = oci_stats_build(container->record.id, ((Task__StatsResponse *)reply)->stats, &line,
			    &now, err);
	protobuf_c_message_free_unpacked(reply, NULL);
	if (r < 0)
		return r;
	if (now > *oom) {
		json_t *event = json_pack("{s:s,s:s}", "type", "oom", "id", container->record.id);

		print(event);
		json_decref(event);
	}
	*oom = now;
	print(line);
	json_decref(line);
	return 0;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	struct events_options o = {.interval_ns = 5000000000ull};
	struct timespec pause;
	uint64_t oom = UINT64_MAX;
	int first, r = oci_parse(&oci_events_verb, argc, argv, &o, 1, 1, &first, err);

	if (r == 0)
		r = oci_container_open_running(oci, argv[first], &container, err);
	if (r == 0)
		r = print_stats(&container, &oom, err);
	if (r < 0)
		return r;
	pause.tv_sec = (time_t)(o.interval_ns / 1000000000u);
	pause.tv_nsec = (long)(o.interval_ns % 1000000000u);
	while (!o.stats) {
		nanosleep(&pause, NULL);
		r = print_stats(&container, &oom, err);
		/* Its end is the end of its events. */
		if (r == -ENOENT || r == -ESRCH || container.shim.lost)
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

const struct oci_verb oci_events_verb = {
	.name = "events",
	.help = "print a container's statistics and memory events",
	.opts = &spec,
	.run = run,
};
