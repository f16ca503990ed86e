/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the sbx command line share: one table row, one file and one function each. */
#ifndef SHIM_CLI_H
#define SHIM_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/opts.h"

/* Exit codes of sbx's own. */
#define CLI_FAILED      125
#define CLI_SPAWN_ERROR 126

/* argv[0] is the first argument after the verb. Returns the process's exit code. */
struct cli_verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

int cli_cp(int argc, char **argv);
int cli_exec(int argc, char **argv);
int cli_images(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_kill(int argc, char **argv);
int cli_logs(int argc, char **argv);
int cli_ps(int argc, char **argv);
int cli_rm(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_wait(int argc, char **argv);

/* Prints "sbx: verb: message" and returns CLI_FAILED. */
int cli_fail(const char *verb, const struct err *err);

#define CLI_OPT(strct, short_name, long_name, k, member, what, text, ...)                          \
	{                                                                                          \
		.shrt = (short_name), .name = (long_name), .kind = OPT_##k,                        \
		.offset = offsetof(struct strct, member), .operand = (what), .help = (text),       \
		__VA_ARGS__                                                                        \
	}
#define CLI_OPTS(text, rows, ...)                                                                  \
	{                                                                                          \
		.usage = (text), .opts = (rows), .n_opts = sizeof(rows) / sizeof((rows)[0]),       \
		__VA_ARGS__                                                                        \
	}

#endif
