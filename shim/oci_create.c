/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci create: a container whose process waits for `start`. */
#include "shim/oci_launch.h"
#include "shim/oci_stdio.h"

static const struct opt rows[] = {OCI_LAUNCH_ROWS(oci_launch_options)};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci create [options] CONTAINER", rows, .permute = true);

static int create(struct oci_launch *launch, struct err *err)
{
	_cleanup_oci_stdio_ struct oci_stdio stdio = OCI_STDIO_INIT;
	const char *console = launch->options->console_socket;
	bool terminal;
	int r = oci_launch_begin(launch, err);

	if (r < 0)
		return r;
	terminal = oci_launch_wants_terminal(launch);
	r = oci_stdio_check(terminal, console, err);
	if (r == 0)
		r = terminal ? oci_stdio_open_terminal(console,
						       launch->spec->config.process->console_size,
						       &stdio, err)
			     : oci_stdio_open(&stdio, err);
	if (r < 0) {
		oci_launch_undo(launch);
		return r;
	}
	return oci_launch_create(launch, &stdio.streams, stdio.terminal, err);
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	struct oci_launch_options options = {0};
	struct oci_launch launch = {.oci = oci, .options = &options, .lock_fd = -1};
	int first, r = oci_parse(&oci_create_verb, argc, argv, &options, 1, 1, &first, err);

	if (r < 0)
		return r;
	launch.id = argv[first];
	r = create(&launch, err);
	oci_launch_finish(&launch);
	return r;
}

const struct oci_verb oci_create_verb = {
	.name = "create",
	.help = "create a container",
	.opts = &spec,
	.run = run,
};
