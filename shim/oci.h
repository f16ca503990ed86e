/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs of sbx-oci share: one table row and one file each. The command line is runc's, and so
 * are the exit codes: 1 for an error, 255 for an error of exec, a program's own from run and exec.
 */
#ifndef SHIM_OCI_H
#define SHIM_OCI_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/opts.h"
#include "shim/cli.h" /* CLI_OPT, CLI_OPTS */

#define OCI_FAILED      1
#define OCI_EXEC_FAILED 255

/* The options before the verb. */
struct oci {
	const char *root; /* one directory a container; absolute */
	const char *log, *log_format;
	bool debug, systemd_cgroup, version, help;
	const char *rootless, *criu; /* taken and without meaning here */
};

/* Parses the options before the verb into zeroed *ret. Returns the verb's index in argv; pure. */
int oci_parse_global(int argc, char **argv, struct oci *ret, struct err *err);
void oci_help_global(void);

struct oci_verb {
	const char *name, *help;
	const struct opts_spec *opts;
	/* argv[0] is the first argument after the verb. Returns the exit code, or -errno and err. */
	int (*run)(const struct oci *oci, int argc, char **argv, struct err *err);
	int failed; /* the exit code of an error */
};

/*
 * Parses a verb's options and checks that min to max operands follow; *ret is the first one's index.
 */
int oci_parse(const struct oci_verb *verb, int argc, char **argv, void *options, int min, int max,
	      int *ret, struct err *err);

extern const struct oci_verb oci_create_verb, oci_delete_verb, oci_events_verb, oci_exec_verb,
	oci_features_verb, oci_kill_verb, oci_list_verb, oci_pause_verb, oci_ps_verb,
	oci_resume_verb, oci_run_verb, oci_spec_verb, oci_start_verb, oci_state_verb,
	oci_update_verb;

#endif
