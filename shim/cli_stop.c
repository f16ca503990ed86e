/* SPDX-License-Identifier: Apache-2.0 */
/* sbx stop: asks the program to end, then makes it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shim/cli.h"
#include "shim/cli_each.h"
#include "shim/cli_pod.h"

struct stop_options {
	uint64_t grace_ns;
	bool help;
};

static const struct opt rows[] = {
	CLI_OPT(stop_options, 't', "time", TIME, grace_ns, "TIME",
		"between SIGTERM and SIGKILL (default: 10s)", .max = 86400000000000ull),
	CLI_OPT(stop_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx stop [options] SANDBOX...", rows);

/* What has ended already is stopped. */
static bool is_gone(int r)
{
	return r == -ENOENT || r == -ECONNRESET || r == -EPIPE;
}

static int stop(const char *ref, void *data, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	struct stop_options *o = data;
	int grace_ms = o->grace_ns < 1000000 ? 1 : (int)(o->grace_ns / 1000000);
	uint32_t status;
	int r = cli_find_pod(ref, &pod, NULL, err);

	if (r < 0)
		return r;
	r = cli_shim_connect(pod, &shim, err);
	if (r == 0)
		r = cli_task_kill(&shim, pod->id, grace_ms, SIGTERM, err);
	if (r == 0)
		r = cli_task_wait(&shim, pod->id, grace_ms, &status, err);
	if (r == -ETIMEDOUT) {
		r = cli_task_kill(&shim, pod->id, 0, SIGKILL, err);
		if (r == 0)
			r = cli_task_wait(&shim, pod->id, 0, &status, err);
	}
	if (r < 0 && !is_gone(r))
		return r;
	printf("%s\n", ref);
	return 0;
}

int cli_stop(int argc, char **argv)
{
	struct stop_options o = {.grace_ns = 10000000000ull};

	return cli_each("stop", &spec, argc, argv, &o, &o.help, stop);
}
