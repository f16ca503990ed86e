/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci features: what a bundle may ask for. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "shim/features.h"
#include "shim/oci.h"

static const struct opt rows[] = {{.name = NULL}};

static const struct opts_spec spec = CLI_OPTS("sbx-oci features", rows);

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	int first, r = oci_parse(&oci_features_verb, argc, argv, NULL, 0, 0, &first, err);
	json_t *root;

	if (r < 0)
		return r;
	root = features_build(false);
	if (!root || json_dumpf(root, stdout, JSON_INDENT(2)) < 0 || puts("") < 0)
		r = err_set(err, EIO, "cannot print the features");
	json_decref(root);
	return r;
}

const struct oci_verb oci_features_verb = {
	.name = "features",
	.help = "print what a bundle may ask for, as JSON",
	.opts = &spec,
	.run = run,
};
