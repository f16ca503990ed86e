/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stages SANDBOX: the stages of its start, a line "NANOSECONDS NAME" each, by CLOCK_MONOTONIC: what
 * `sbx run --explain` shows of them, for traces to be cut at.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/log.h"
#include "sbx.pb-c.h"
#include "shim/cli_pod.h"

int main(int argc, char **argv)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	_cleanup_cli_shim_ struct cli_shim shim = {0};
	const Sandbox__ExplainResponse *explain;
	ProtobufCMessage *reply = NULL;
	struct err err = ERR_INIT;

	log_open(STDERR_FILENO, LOG_WARN, "stages");
	if (argc != 2)
		fatal("usage: stages SANDBOX");
	if (cli_find_pod(argv[1], &pod, NULL, &err) < 0 || cli_shim_connect(pod, &shim, &err) < 0 ||
	    cli_sandbox(&shim, "Explain", &reply, &err) < 0)
		fatal("%s", err.msg);
	explain = (const Sandbox__ExplainResponse *)reply;
	for (size_t i = 0; i < explain->n_stages; i++)
		printf("%" PRIu64 " %s\n", explain->stages[i]->at_ns, explain->stages[i]->name);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}
