/* SPDX-License-Identifier: Apache-2.0 */
/* A program with our own streams: what becomes of a signal that comes before it runs. */
#include <criterion/criterion.h>
#include <signal.h>

#include "common/rpc.h"
#include "shim/cli_session.h"
#include "tests/unit/shim/fake_guest.h"

TestSuite(cli_session, .init = guest_set_up, .fini = guest_tear_down, .timeout = 20);

Test(cli_session, an_early_signal_is_held_until_the_program_runs)
{
	struct cli_shim shim = {.loop = guest.shim->loop, .conn = guest.client};
	const struct session_options options = {.id = "c", .exec_id = "", .holds_signals = true};
	struct session_streams streams;
	struct session *session = NULL;
	struct err err = ERR_INIT;

	/* One from before there is a session, and one from after that. */
	session_hold_signals();
	raise(SIGTERM);
	cr_assert_eq(session_create(&shim, &options, &session, &streams, &err), 0, "%s", err.msg);
	raise(SIGUSR1);
	guest_turns();
	cr_assert_not(guest_was_asked("Kill", ""));
	guest.container->init.state = PROCESS_RUNNING;
	session_started(session);
	guest_turns();
	guest_answers("Kill", "");
	guest_answers("Kill", "");
	cr_assert_not(guest_was_asked("Kill", ""));
	raise(SIGTERM);
	guest_turns();
	guest_answers("Kill", "");
	session_destroy(session);
}
