/* SPDX-License-Identifier: Apache-2.0 */
/* sbx ps: the records, newest first. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/cli.h"
#include "shim/cli_pod.h"
#include "shim/shim.h"

struct ps_options {
	bool all, quiet, json, help;
};

#define OPT(...) CLI_OPT(ps_options, __VA_ARGS__)

static const struct opt rows[] = {
	OPT('a', "all", FLAG, all, NULL, "those that have ended too"),
	OPT('q', "quiet", FLAG, quiet, NULL, "ids only"),
	OPT(0, "json", FLAG, json, NULL, "a JSON array of records"),
	OPT('h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx ps [options]", rows);

struct listing {
	struct record *records;
	size_t n;
	bool all;
};

static int collect(struct pod_dir *pod, void *data)
{
	struct listing *listing = data;
	struct record record = {0}, *grown;

	/* A directory that is just being made has no record yet. */
	if (pod_dir_read_record(pod, &record, NULL) < 0)
		return 0;
	if (record.status == RECORD_STOPPED && !listing->all) {
		record_finish(&record);
		return 0;
	}
	grown = reallocarray(listing->records, listing->n + 1, sizeof(*grown));
	if (!grown) {
		record_finish(&record);
		return -ENOMEM;
	}
	listing->records = grown;
	grown[listing->n++] = record;
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct record *ra = a, *rb = b;

	return (ra->created_ns < rb->created_ns) - (ra->created_ns > rb->created_ns);
}

static void age_text(uint64_t since_ns, char *buf, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	struct timespec now;
	uint64_t s;

	clock_gettime(CLOCK_REALTIME, &now);
	s = (uint64_t)now.tv_sec > since_ns / 1000000000u
		    ? (uint64_t)now.tv_sec - since_ns / 1000000000u
		    : 0;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (s < units[i].seconds && units[i].seconds > 1)
			continue;
		snprintf(buf, size, "%" PRIu64 "%s", s / units[i].seconds, units[i].name);
		return;
	}
}

static void status_text(const struct record *record, char *buf, size_t size)
{
	if (record->status == RECORD_STOPPED)
		snprintf(buf, size, "exited (%u)", record->exit_status);
	else
		snprintf(buf, size, "%s", record_status_name(record->status));
}

/* The command on one line, clipped; control characters would move the terminal's cursor. */
static void command_text(const struct record *record, char *buf, size_t size)
{
	const char *const *args = record->args.items;
	size_t at = 0;

	for (size_t i = 0; i < record->args.n && at + 2 < size; i++) {
		if (i)
			buf[at++] = ' ';
		for (const char *s = args[i]; *s && at + 1 < size; s++)
			buf[at++] = (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s;
	}
	buf[at] = '\0';
}

static void print_table(const struct listing *listing)
{
	printf("%-13s %-16s %-24s %-24s %-13s %s\n", "ID", "NAME", "IMAGE", "COMMAND", "STATUS",
	       "AGE");
	for (size_t i = 0; i < listing->n; i++) {
		const struct record *r = &listing->records[i];
		char status[32], command[25], age[24];

		status_text(r, status, sizeof(status));
		command_text(r, command, sizeof(command));
		age_text(r->created_ns, age, sizeof(age));
		printf("%-13s %-16s %-24.24s %-24s %-13s %s\n", r->id, r->name ? r->name : "",
		       r->image ? r->image : "", command, status, age);
	}
}

static void print_json(const struct listing *listing)
{
	json_t *array = json_array();

	for (size_t i = 0; i < listing->n; i++) {
		char *text = NULL;

		if (record_encode(&listing->records[i], &text) == 0)
			json_array_append_new(array, json_loads(text, 0, NULL));
		free(text);
	}
	json_dumpf(array, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(array);
}

int cli_ps(int argc, char **argv)
{
	struct ps_options o = {0};
	struct listing listing = {0};
	struct err err = ERR_INIT;
	int r = opts_parse(&spec, argc, argv, &o, NULL, &err);

	if (r >= 0 && o.help) {
		opts_help(&spec);
		return 0;
	}
	if (r >= 0 && r < argc)
		r = err_set(&err, EINVAL, "%.40s: no operand is expected", argv[r]);
	if (r >= 0)
		r = pod_dir_sweep(SHIM_OWN_NAMESPACE, &err);
	listing.all = o.all;
	if (r >= 0)
		r = pod_dir_for_each(SHIM_OWN_NAMESPACE, collect, &listing, &err);
	if (r >= 0 && listing.n)
		qsort(listing.records, listing.n, sizeof(*listing.records), newest_first);
	if (r >= 0 && o.json)
		print_json(&listing);
	else if (r >= 0 && o.quiet)
		for (size_t i = 0; i < listing.n; i++)
			printf("%s\n", listing.records[i].id);
	else if (r >= 0)
		print_table(&listing);
	for (size_t i = 0; i < listing.n; i++)
		record_finish(&listing.records[i]);
	free(listing.records);
	return r < 0 ? cli_fail("ps", &err) : 0;
}
