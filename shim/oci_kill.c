/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci kill: a signal for a container's process, or for all of them. */
#include <errno.h>
#include <string.h>

#include "shim/oci_container.h"

struct kill_options {
	bool all;
};

static const struct opt rows[] = {
	CLI_OPT(kill_options, 'a', "all", FLAG, all, NULL, "all of the container's processes"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci kill [options] CONTAINER [SIGNAL]", rows, .permute = true);

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;
	struct kill_options o = {0};
	const char *word;
	int first, signo, r = oci_parse(&oci_kill_verb, argc, argv, &o, 1, 2, &first, err);

	if (r < 0)
		return r;
	word = argc - first > 1 ? argv[first + 1] : "TERM";
	signo = strcmp(word, "0") == 0 ? 0 : cli_parse_signal(word);
	if (signo < 0)
		return err_set(err, EINVAL, "%.40s: no such signal", word);
	r = oci_container_open_made(oci, argv[first], &container, err);
	if (r < 0)
		return r;
	/* runc does not mind where there is nobody left to be killed. */
	if (container.status == TASK__STATUS__STOPPED)
		return o.all ? 0 : err_set(err, ESRCH, "container not running");
	/* kill(2) of nothing: whether there is somebody. */
	if (signo == 0)
		return 0;
	request.id = argv[first];
	request.signal = (uint32_t)signo;
	request.all = o.all;
	r = cli_task(&container.shim, "Kill", &request.base, NULL, 0, NULL, err);
	return r == -ENOENT && !o.all ? err_set(err, ESRCH, "container not running")
	       : r == -ENOENT         ? 0
				      : r;
}

const struct oci_verb oci_kill_verb = {
	.name = "kill",
	.help = "send a signal to a container (default: TERM)",
	.opts = &spec,
	.run = run,
};
