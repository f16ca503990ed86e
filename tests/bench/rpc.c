/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc SANDBOX CALLS: how long a call takes, in nanoseconds, as "SHIM AGENT". Both are calls to the shim; it
 * answers State by itself, and asks the agent about Pids: the difference is the way to the guest and back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/loop.h"
#include "shim/cli_pod.h"
#include "task.pb-c.h"

static uint64_t time_calls(struct cli_shim *shim, const char *method,
			   const ProtobufCMessage *request, unsigned n)
{
	uint64_t begin = 0;
	struct err err = ERR_INIT;

	/* One before, to warm up. */
	for (unsigned i = 0; i <= n; i++) {
		ProtobufCMessage *reply = NULL;

		if (i == 1)
			begin = now_ns();
		if (cli_task(shim, method, request, NULL, 0, &reply, &err) < 0)
			fatal("%s: %s", method, err.msg);
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	return (now_ns() - begin) / n;
}

int main(int argc, char **argv)
{
	Task__StateRequest state = TASK__STATE_REQUEST__INIT;
	Task__PidsRequest pids = TASK__PIDS_REQUEST__INIT;
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	struct err err = ERR_INIT;
	uint64_t own, both;

	log_open(STDERR_FILENO, LOG_WARN, "rpc");
	if (!n)
		fatal("usage: rpc SANDBOX CALLS");
	if (cli_find_pod(argv[1], &pod, NULL, &err) < 0 || cli_shim_connect(pod, &shim, &err) < 0)
		fatal("%s", err.msg);
	state.id = pids.id = pod->id;
	own = time_calls(&shim, "State", &state.base, n);
	both = time_calls(&shim, "Pids", &pids.base, n);
	printf("%llu %llu\n", (unsigned long long)own,
	       (unsigned long long)(both > own ? both - own : 0));
	return 0;
}
