/* SPDX-License-Identifier: Apache-2.0 */
/* sbx kill: a signal for the sandbox's own process. */
#include <errno.h>
#include <stdio.h>

#include "shim/cli.h"
#include "shim/cli_each.h"
#include "shim/cli_pod.h"

struct kill_options {
	const char *signal;
	bool help;
};

static const struct opt rows[] = {
	CLI_OPT(kill_options, 's', "signal", STRING, signal, "SIGNAL",
		"by name or number (default: KILL)"),
	CLI_OPT(kill_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx kill [options] SANDBOX...", rows);

static int kill_one(const char *ref, void *data, struct err *err)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	struct kill_options *o = data;
	int signo = cli_parse_signal(o->signal), r;

	if (signo < 0)
		return err_set(err, EINVAL, "--signal %.40s: no such signal", o->signal);
	r = cli_find_pod(ref, &pod, NULL, err);
	if (r == 0)
		r = cli_shim_connect(pod, &shim, err);
	if (r == 0)
		r = cli_task_kill(&shim, pod->id, 0, (uint32_t)signo, err);
	if (r < 0)
		return r;
	printf("%s\n", ref);
	return 0;
}

int cli_kill(int argc, char **argv)
{
	struct kill_options o = {.signal = "KILL"};

	return cli_each("kill", &spec, argc, argv, &o, &o.help, kill_one);
}
