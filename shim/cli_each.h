/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs that do the same to each of the sandboxes named: stop, kill, rm, inspect, wait. */
#ifndef SHIM_CLI_EACH_H
#define SHIM_CLI_EACH_H

#include "common/opts.h"

/* Does it to the sandbox named ref. 0 or -errno with err. */
typedef int (*cli_each_fn)(const char *ref, void *options, struct err *err);

/*
 * Parses into options; *help is where --help puts its flag. Every name gets its turn, and its line
 * of error; the exit code is 0 where all went well.
 */
int cli_each(const char *verb, const struct opts_spec *spec, int argc, char **argv, void *options,
	     const bool *help, cli_each_fn fn);

#endif
