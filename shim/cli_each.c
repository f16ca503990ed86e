/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/cli_each.h"

#include <errno.h>

#include "shim/cli.h"

int cli_each(const char *verb, const struct opts_spec *spec, int argc, char **argv, void *options,
	     const bool *help, cli_each_fn fn)
{
	struct err err = ERR_INIT;
	int first = opts_parse(spec, argc, argv, options, NULL, &err), code = 0;

	if (first < 0)
		return cli_fail(verb, &err);
	if (*help) {
		opts_help(spec);
		return 0;
	}
	if (first == argc) {
		err_set(&err, EINVAL, "which sandbox? give a name or an id; sbx ps lists them");
		return cli_fail(verb, &err);
	}
	for (int i = first; i < argc; i++) {
		err = (struct err)ERR_INIT;
		if (fn(argv[i], options, &err) < 0)
			code = cli_fail(verb, &err);
	}
	return code;
}
