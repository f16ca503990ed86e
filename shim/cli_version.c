/* SPDX-License-Identifier: Apache-2.0 */
/* sbx version. */
#include <stdio.h>

#include "common/rpc.h"
#include "common/version.h"
#include "shim/cli.h"

struct version_options {
	bool json, help;
};

static const struct opt rows[] = {
	CLI_OPT(version_options, 0, "json", FLAG, json, NULL, "as a JSON object"),
	CLI_OPT(version_options, 'h', "help", FLAG, help, NULL, "this text"),
};

static const struct opts_spec spec = CLI_OPTS("sbx version [options]", rows);

int cli_version(int argc, char **argv)
{
	struct version_options o = {0};
	struct err err = ERR_INIT;

	if (opts_parse(&spec, argc, argv, &o, NULL, &err) < 0)
		return cli_fail("version", &err);
	if (o.help)
		opts_help(&spec);
	else if (o.json)
		printf("{\"version\":\"%s\",\"build\":\"%s\",\"protocol\":\"%d.%d\"}\n",
		       sbx_version, sbx_build_id, RPC_MAJOR, RPC_MINOR);
	else
		printf("sbx %s (%s)\n", sbx_version, sbx_build_id);
	return 0;
}
