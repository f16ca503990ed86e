/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci ps: the processes of a container, by the guest's numbers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shim/oci_container.h"

struct ps_options {
	const char *format;
};

static const struct opt rows[] = {
	CLI_OPT(ps_options, 'f', "format", STRING, format, "FORMAT", "table (default) or json"),
};

static const struct opts_spec spec = CLI_OPTS("sbx-oci ps [options] CONTAINER", rows);

static void print(const Task__PidsResponse *pids, bool json)
{
	printf("%s", json ? "[" : "PID\n");
	for (size_t i = 0; i < pids->n_processes; i++)
		printf(json ? "%s%u" : "%s%u\n", json && i ? "," : "", pids->processes[i]->pid);
	printf("%s", json ? "]\n" : "");
}

/* Arguments after the container are those of ps(1) in runc, which has the host's to show. */
static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	Task__PidsRequest request = TASK__PIDS_REQUEST__INIT;
	struct ps_options o = {.format = "table"};
	ProtobufCMessage *reply = NULL;
	int first, r = oci_parse(&oci_ps_verb, argc, argv, &o, 1, 1, &first, err);

	if (r < 0)
		return r;
	if (strcmp(o.format, "json") != 0 && strcmp(o.format, "table") != 0)
		return err_set(err, EINVAL, "--format %.40s: neither table nor json", o.format);
	r = oci_container_open_running(oci, argv[first], &container, err);
	if (r < 0)
		return r;
	request.id = argv[first];
	r = cli_task(&container.shim, "Pids", &request.base, NULL, 0, &reply, err);
	if (r < 0)
		return r;
	print((const Task__PidsResponse *)reply, strcmp(o.format, "json") == 0);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

const struct oci_verb oci_ps_verb = {
	.name = "ps",
	.help = "list the processes of a container",
	.opts = &spec,
	.run = run,
};
