/* SPDX-License-Identifier: Apache-2.0 */
/* sbx: the table of verbs. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/cli.h"

static const struct cli_verb verbs[] = {
	{"run", cli_run, "run a program in a fresh micro-VM"},
	{"exec", cli_exec, "run a further program in a running sandbox"},
	{"cp", cli_cp, "copy files into a running sandbox, or out of it"},
	{"ps", cli_ps, "list sandboxes"},
	{"logs", cli_logs, "print what a detached sandbox has written"},
	{"stop", cli_stop, "end sandboxes: SIGTERM, then SIGKILL"},
	{"kill", cli_kill, "send a signal to sandboxes"},
	{"rm", cli_rm, "remove ended sandboxes"},
	{"inspect", cli_inspect, "print what is known of sandboxes, as JSON"},
	{"wait", cli_wait, "wait for sandboxes to end and print their exit codes"},
	{"images", cli_images, "list, fetch and remove images"},
	{"doctor", cli_doctor, "say what this machine can run, and what is missing"},
	{"version", cli_version, "print the version"},
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: sbx VERB [options] ...\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	fprintf(out, "sbx VERB --help says more.\n");
}

int main(int argc, char **argv)
{
	io_ignore_signals();
	if (argc < 2) {
		print_usage(stderr);
		return CLI_FAILED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(0, argv + 2);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "sbx: %.32s: no such verb; sbx --help lists them\n", argv[1]);
	return CLI_FAILED;
}
