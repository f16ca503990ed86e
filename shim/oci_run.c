/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbx-oci run: create and start in one. In the foreground the streams are relayed as `sbx run` does it, the
 * exit code is the program's, and nothing is left; with --detach it is what create and start would do.
 */
#include <errno.h>

#include "shim/cli_session.h"
#include "shim/oci_launch.h"
#include "shim/oci_stdio.h"
#include "shim/terminal.h"

static const struct opt rows[] = {
	OCI_LAUNCH_ROWS(oci_launch_options),
	CLI_OPT(oci_launch_options, 'd', "detach", FLAG, detach, NULL,
		"leave the container to itself once it runs"),
	CLI_OPT(oci_launch_options, 0, "keep", FLAG, keep, NULL,
		"do not delete the container after its end"),
	CLI_OPT(oci_launch_options, 0, "no-subreaper", FLAG, no_subreaper, NULL, NULL),
};

static const struct opts_spec spec =
	CLI_OPTS("sbx-oci run [options] CONTAINER", rows, .permute = true);

static int run_detached(struct oci_launch *launch, struct err *err)
{
	_cleanup_oci_stdio_ struct oci_stdio stdio = OCI_STDIO_INIT;
	const char *console = launch->options->console_socket;
	bool terminal = oci_launch_wants_terminal(launch);
	int r = oci_stdio_check(terminal, console, err);

	if (r == 0)
		r = terminal ? oci_stdio_open_terminal(console,
						       launch->spec->config.process->console_size,
						       &stdio, err)
			     : oci_stdio_open(&stdio, err);
	if (r == 0)
		r = oci_launch_create(launch, &stdio.streams, stdio.terminal, err);
	return r < 0 ? r : oci_launch_start(launch, err);
}

/* A program that cannot be executed is an error here, as it is runc's. */
static int attend(struct oci_launch *launch, uint32_t *ret_status, struct err *err)
{
	_cleanup_close_ int terminal = -1;
	_cleanup_(session_destroy_p) struct session *session = NULL;
	struct session_options options = {
		.id = launch->id,
		.exec_id = "",
		.interactive = true,
		.tty = oci_launch_wants_terminal(launch),
		.onlcr = true,
		.holds_signals = true,
	};
	struct session_streams streams;
	int r;

	if (options.tty) {
		options.terminal = terminal = terminal_find();
		if (terminal < 0)
			return err_set(err, ENOTTY, "process.terminal: there is no terminal here");
		launch->onlcr = true;
	}
	r = session_create(&launch->shim, &options, &session, &streams, err);
	if (r == 0)
		r = oci_launch_create(launch, &streams, -1, err);
	if (r == 0)
		r = session_attach(session, err);
	if (r == 0)
		r = oci_launch_start(launch, err);
	if (r < 0)
		return r;
	session_started(session);
	return session_wait(session, ret_status, err);
}

static int run_launch(struct oci_launch *launch, struct err *err)
{
	bool detach = launch->options->detach;
	uint32_t status = 0;
	int r;

	/* What is made would be nobody's if one ended us; the program gets them once it runs, as with runc. */
	if (!detach)
		session_hold_signals();
	r = oci_launch_begin(launch, err);
	if (r < 0)
		return r;
	if (!detach && launch->options->console_socket)
		r = err_set(err, EINVAL, "--console-socket is for --detach");
	else
		r = detach ? run_detached(launch, err) : attend(launch, &status, err);
	if (r < 0 || (!detach && !launch->options->keep))
		oci_launch_undo(launch);
	return r < 0 ? r : (int)status;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	struct oci_launch_options options = {0};
	struct oci_launch launch = {.oci = oci, .options = &options, .lock_fd = -1};
	int first, r = oci_parse(&oci_run_verb, argc, argv, &options, 1, 1, &first, err);

	if (r < 0)
		return r;
	launch.id = argv[first];
	r = run_launch(&launch, err);
	oci_launch_finish(&launch);
	return r;
}

const struct oci_verb oci_run_verb = {
	.name = "run",
	.help = "create and start a container",
	.opts = &spec,
	.run = run,
};
