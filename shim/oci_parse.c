/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sbx-oci: what stands before the verb, and what each verb has in common. Pure. */
#include <errno.h>
#include <string.h>

#include "shim/oci.h"

#define OPT(...) CLI_OPT(oci, __VA_ARGS__)

static const struct opt rows[] = {
	OPT(0, "root", STRING, root, "DIR",
	    "where the state of containers is (default: /run/sbx-oci)"),
	OPT(0, "log", STRING, log, "FILE", "append errors to this file, too"),
	OPT(0, "log-format", STRING, log_format, "FORMAT", "text (default) or json"),
	OPT(0, "debug", FLAG, debug, NULL, "log more"),
	OPT(0, "systemd-cgroup", FLAG, systemd_cgroup, NULL,
	    "cgroupsPath is SLICE:PREFIX:NAME (told by its form, anyway)"),
	OPT(0, "rootless", STRING, rootless, "MODE", NULL),
	OPT(0, "criu", STRING, criu, "FILE", NULL),
	OPT('v', "version", FLAG, version, NULL, "print the version"),
	OPT('h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci [options] VERB [options of the verb] ...", rows, .single_dash = true);

int oci_parse_global(int argc, char **argv, struct oci *ret, struct err *err)
{
	int first;

	*ret = (struct oci){.root = "/run/sbx-oci", .log_format = "text"};
	first = opts_parse(&spec, argc, argv, ret, NULL, err);
	if (first < 0)
		return first;
	if (strcmp(ret->log_format, "text") != 0 && strcmp(ret->log_format, "json") != 0)
		return err_set(err, EINVAL, "--log-format %.40s: neither text nor json",
			       ret->log_format);
	if (!ret->root[0])
		return err_set(err, EINVAL, "--root: an empty path");
	return first;
}

void oci_help_global(void)
{
	opts_help(&spec);
}

int oci_parse(const struct oci_verb *verb, int argc, char **argv, void *options, int min, int max,
	      int *ret, struct err *err)
{
	struct opts_spec opts = *verb->opts;
	int first;

	opts.single_dash = true;
	first = opts_parse(&opts, argc, argv, options, NULL, err);
	if (first < 0)
		return first;
	if (argc - first < min)
		return err_set(err, EINVAL, "%s: too few arguments; usage: %s", verb->name,
			       verb->opts->usage);
	if (max >= 0 && argc - first > max)
		return err_set(err, EINVAL, "%s: too many arguments; usage: %s", verb->name,
			       verb->opts->usage);
	*ret = first;
	return 0;
}
