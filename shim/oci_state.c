/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci state: the runtime-spec's state of a container, as JSON. */
#include <errno.h>
#include <stdio.h>

#include "shim/oci_container.h"

static const struct opt rows[] = {{.name = NULL}};

static const struct opts_spec spec = CLI_OPTS("sbx-oci state CONTAINER", rows);

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	json_t *state;
	int first, r = oci_parse(&oci_state_verb, argc, argv, NULL, 1, 1, &first, err);

	if (r == 0)
		r = oci_container_open(oci, argv[first], &container, err);
	if (r < 0)
		return r;
	state = oci_record_state(&container.record, oci_container_status(&container));
	if (!state || json_dumpf(state, stdout, JSON_INDENT(2)) < 0 || puts("") < 0)
		r = err_set(err, EIO, "cannot print the state");
	json_decref(state);
	return r;
}

const struct oci_verb oci_state_verb = {
	.name = "state",
	.help = "print a container's state as JSON",
	.opts = &spec,
	.run = run,
};
