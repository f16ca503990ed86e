/* SPDX-License-Identifier: Apache-2.0 */
/* sbx wait: the exit codes, one a line, when they are there. */
#include <errno.h>
#include <stdio.h>

#include "shim/cli.h"
#include "shim/cli_each.h"
#include "shim/cli_pod.h"

#define END_WAIT_MS 5000

struct wait_options {
	bool help;
};

static const struct opt rows[] = {
	CLI_OPT(wait_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx wait SANDBOX...", rows);

/* A pod that breaks fails who waits for it, and writes down its end then. */
static int recorded_end(const struct pod_dir *pod, struct cli_shim *shim, uint32_t *ret_status)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *later = NULL;
	_cleanup_record_ struct record record = {0};
	int r;

	cli_shim_await_end(shim, END_WAIT_MS);
	r = cli_find_pod(pod->id, &later, &record, NULL);
	if (r == 0 && record.status != RECORD_STOPPED)
		r = -EBUSY;
	if (r == 0)
		*ret_status = record.exit_status;
	return r;
}

static int wait_one(const char *ref, void *data, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_record_ struct record record = {0};
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	uint32_t status;
	int r = cli_find_pod(ref, &pod, &record, err);

	if (r < 0)
		return r;
	status = record.exit_status;
	if (record.status != RECORD_STOPPED) {
		r = cli_shim_connect(pod, &shim, err);
		if (r == 0)
			r = cli_task_wait(&shim, pod->id, 0, &status, err);
		if (r < 0 && recorded_end(pod, &shim, &status) < 0)
			return r;
	}
	printf("%u\n", status);
	return 0;
}

int cli_wait(int argc, char **argv)
{
	struct wait_options o = {0};

	return cli_each("wait", &spec, argc, argv, &o, &o.help, wait_one);
}
