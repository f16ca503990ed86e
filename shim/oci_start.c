/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci start: the created container's process runs its program. */
#include <errno.h>

#include "shim/oci_container.h"

static const struct opt rows[] = {{.name = NULL}};

static const struct opts_spec spec = CLI_OPTS("sbx-oci start CONTAINER", rows);

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	_cleanup_oci_container_ struct oci_container container = {0};
	int first, r = oci_parse(&oci_start_verb, argc, argv, NULL, 1, 1, &first, err);

	if (r == 0)
		r = oci_container_open_made(oci, argv[first], &container, err);
	if (r < 0)
		return r;
	if (container.status == TASK__STATUS__STOPPED)
		return err_set(err, ESRCH, "cannot start a container that has stopped");
	if (container.status != TASK__STATUS__CREATED)
		return err_set(err, EBUSY, "cannot start a container that runs already");
	return oci_container_start(oci, &container.shim, argv[first], err);
}

const struct oci_verb oci_start_verb = {
	.name = "start",
	.help = "run the program of a created container",
	.opts = &spec,
	.run = run,
};
