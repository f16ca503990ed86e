/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-oci ps: the processes of a container, by the guest's numbers. runc has ps(1) show the host's; here
 * the agent tells what ps would find.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shim/host_user.h"
#include "shim/oci_container.h"
#include "shim/oci_log.h"
#include "shim/oci_ps_table.h"

#define MAX_LINE 512

struct ps_options {
	const char *format;
};

static const struct opt rows[] = {
	CLI_OPT(ps_options, 'f', "format", STRING, format, "FORMAT", "table (default) or json"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci ps [options] CONTAINER [options of ps]", rows);

static void print_table(const Task__PidsResponse *pids, enum oci_ps_style style)
{
	struct timespec now;
	char line[MAX_LINE];
	uint64_t now_ns;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	puts(oci_ps_header(style));
	for (size_t i = 0; pids && i < pids->n_processes; i++) {
		const Task__ProcessRow *row = pids->processes[i]->row;

		if (!row)
			continue;
		oci_ps_format(row, style, host_user_name(row->uid), now_ns, line, sizeof(line));
		puts(line);
	}
}

static void print_json(const Task__PidsResponse *pids)
{
	printf("[");
	for (size_t i = 0; pids && i < pids->n_processes; i++)
		printf("%s%u", i ? "," : "", pids->processes[i]->pid);
	printf("]\n");
}

static void warn_of_more(const struct oci *oci, uint32_t more)
{
	char text[64];

	if (!more)
		return;
	snprintf(text, sizeof(text), "ps: %u more processes are not shown", more);
	oci_log_warning(oci, text);
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	Task__PidsRequest request = TASK__PIDS_REQUEST__INIT;
	struct ps_options o = {.format = "table"};
	const Task__PidsResponse *pids = NULL;
	ProtobufCMessage *reply = NULL;
	int first, r = oci_parse(&oci_ps_verb, argc, argv, &o, 1, -1, &first, err);
	bool json = r == 0 && strcmp(o.format, "json") == 0;

	if (r < 0)
		return r;
	if (!json && strcmp(o.format, "table") != 0)
		return err_set(err, EINVAL, "--format %.40s: neither table nor json", o.format);
	r = oci_container_open_made(oci, argv[first], &container, err);
	if (r < 0)
		return r;
	request.id = argv[first];
	request.rows = !json;
	/* A container that has ended has none. */
	if (container.status != TASK__STATUS__STOPPED)
		r = cli_task(&container.shim, "Pids", &request.base, NULL, 0, &reply, err);
	if (r < 0 && r != -ENOENT)
		return r;
	pids = (const Task__PidsResponse *)reply;
	if (json)
		print_json(pids);
	else
		print_table(pids, oci_ps_choose(argv + first + 1, (size_t)(argc - first - 1)));
	if (pids)
		warn_of_more(oci, pids->more);
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

const struct oci_verb oci_ps_verb = {
	.name = "ps",
	.help = "list the processes of a container",
	.opts = &spec,
	.run = run,
};
