/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes a signal finds: none yet, one that is being started, one that has ended, the sandbox's none. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/unit/shim/fake_guest.h"

TestSuite(task_kill, .init = guest_set_up, .fini = guest_tear_down);

/* An exec whose Start the agent has been asked for. */
static struct process *starting(void)
{
	struct process *exec = guest_add_exec("e");

	/* As it is before the agent knows of it. */
	guest_refuses("Wait", "e", ECANCELED, "");
	guest.container->init.state = PROCESS_RUNNING;
	exec->state = PROCESS_CREATED;
	guest_give_spec(exec);
	guest_ask_start("e", "start");
	cr_assert_eq(exec->state, PROCESS_STARTING);
	return exec;
}

Test(task_kill, an_exec_that_was_only_added_has_no_process)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_add_exec("e")->state = PROCESS_CREATED;
	guest_ask_kill("e", SIGKILL, "kill");
	cr_assert_str_eq(guest.answers, "kill failed (16);");
	cr_assert_str_eq(guest.said, "process not created");
	cr_assert_not(guest_was_asked("Kill", "e"));
}

Test(task_kill, it_waits_for_the_start)
{
	const struct process *exec = starting();

	guest_ask_kill("e", SIGTERM, "term");
	guest_ask_kill("e", SIGKILL, "kill");
	cr_assert_not(guest_was_asked("Kill", "e"));
	cr_assert_str_eq(guest.answers, "");
	guest_answers("Exec", "e");
	cr_assert_eq(exec->state, PROCESS_RUNNING);
	cr_assert(exec->killed);
	cr_assert_str_eq(guest.answers, "start;");
	guest_answers("Kill", "e");
	guest_answers("Kill", "e");
	cr_assert_str_eq(guest.answers, "start;term;kill;");
	guest_exits("e", 137);
	cr_assert_eq(exec->exit_status, 137);
}

Test(task_kill, and_finds_nothing_where_that_fails)
{
	const struct process *exec = starting();

	guest_ask_kill("e", SIGTERM, "term");
	guest_refuses("Exec", "e", EINVAL, "no");
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert(strstr(guest.answers, "term failed (2);"));
	cr_assert_not(guest_was_asked("Kill", "e"));
}

Test(task_kill, nor_where_the_pod_ends)
{
	struct err gone = ERR_INIT;

	starting();
	guest_ask_kill("e", SIGTERM, "term");
	err_set(&gone, EPIPE, "gone");
	container_fail(guest.container, &gone);
	guest_turns();
	cr_assert(strstr(guest.answers, "term failed (2);"));
}

Test(task_kill, as_many_as_anybody_sends)
{
	starting();
	for (int i = 0; i < 65; i++)
		guest_ask_kill("e", SIGTERM, "k");
	cr_assert_str_eq(guest.answers, "k failed (7);", "the last");
}

Test(task_kill, what_has_ended_has_no_process_any_more)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_exits("", 3);
	guest_ask_kill("", SIGKILL, "kill");
	cr_assert_str_eq(guest.answers, "kill failed (2);");
	cr_assert_str_eq(guest.said, "process already finished");
}

Test(task_kill, nor_what_ends_with_the_machine)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_ask_kill("", SIGKILL, "kill");
	guest_goes();
	guest_turns();
	cr_assert_str_eq(guest.answers, "kill failed (2);");
	cr_assert_str_eq(guest.said, "process already finished");
}

Test(task_kill, a_sandbox_container_ends_by_what_its_process_would)
{
	struct process *init = &guest.container->init;
	static const uint32_t others[] = {0, SIGHUP, SIGUSR1, SIGCHLD, SIGWINCH, SIGSTOP, 64};

	guest.container->sandbox = true;
	init->state = PROCESS_RUNNING;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		guest_ask_kill("", others[i], "s");
	cr_assert_str_eq(guest.answers, "s;s;s;s;s;s;s;");
	cr_assert_eq(init->state, PROCESS_RUNNING);
	guest_ask_kill("", 65, "none");
	cr_assert_str_eq(guest.answers, "s;s;s;s;s;s;s;none failed (22);");
	guest_ask_kill("", SIGINT, "int");
	cr_assert_eq(init->state, PROCESS_STOPPED);
	cr_assert_eq(init->exit_status, 128 + SIGINT);
	cr_assert_not(guest_was_asked("Kill", ""));
}
