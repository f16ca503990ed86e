/* SPDX-License-Identifier: Apache-2.0 */
/* A program that does not start: what its client is told, and what it has ended with. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/unit/shim/fake_guest.h"

TestSuite(task_start, .init = guest_set_up, .fini = guest_tear_down);

#define MISSING "exec \"/none\": No such file or directory (exit status 127)"

static struct process *start_exec(void)
{
	struct process *exec = guest_add_exec("e");

	guest_refuses("Wait", "e", ECANCELED, "");
	guest.container->init.state = PROCESS_RUNNING;
	exec->state = PROCESS_CREATED;
	guest_give_spec(exec);
	guest_ask_start("e", "start");
	return exec;
}

/* nerdctl tells the size of an exec's terminal before its start, when the guest does not know it. */
Test(task_start, a_size_that_comes_first_waits_for_it)
{
	Task__ResizePtyRequest request = TASK__RESIZE_PTY_REQUEST__INIT;
	struct process *exec = guest_add_exec("e");

	exec->state = PROCESS_CREATED;
	request.id = (char *)"c";
	request.exec_id = (char *)"e";
	request.height = 30;
	request.width = 100;
	guest_ask("ResizePty", &request.base, "size");
	cr_assert_str_eq(guest.answers, "size;");
	cr_assert_not(guest_was_asked("Resize", "e"));
	cr_assert(exec->resized);
	cr_assert_eq(exec->rows, 30);
	cr_assert_eq(exec->columns, 100);
	exec->state = PROCESS_RUNNING;
	guest_ask("ResizePty", &request.base, "again");
	guest_answers("Resize", "e");
	cr_assert_str_eq(guest.answers, "size;again;");
}

/* Not ENOENT, which comes as NotFound: the container and the exec are there. */
Test(task_start, a_program_that_is_not_there_is_no_code)
{
	const struct process *exec = start_exec();

	guest_refuses("Exec", "e", ENOENT, MISSING);
	cr_assert_str_eq(guest.answers, "start failed (5);");
	cr_assert_str_eq(guest.said, MISSING);
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert_eq(exec->exit_status, 127);
}

Test(task_start, nor_one_that_nobody_may_run)
{
	const struct process *exec = start_exec();

	guest_refuses("Exec", "e", EACCES, "no");
	cr_assert_str_eq(guest.answers, "start failed (5);");
	cr_assert_eq(exec->exit_status, 126);
}

Test(task_start, of_an_init_its_end_is_the_guests_to_tell)
{
	const struct process *init = &guest.container->init;

	guest_ask_start("", "start");
	guest_refuses("Start", "", ENOENT, MISSING);
	cr_assert_str_eq(guest.answers, "start failed (5);");
	cr_assert_str_eq(guest.said, MISSING);
	cr_assert_neq(init->state, PROCESS_STOPPED);
	guest_exits("", 127);
	cr_assert_eq(init->state, PROCESS_STOPPED);
	cr_assert_eq(init->exit_status, 127);
}

/* The connection goes before anybody knows why. */
static void goes(void)
{
	struct err gone = ERR_INIT;

	guest_goes();
	cr_assert_str_eq(guest.answers, "");
	err_set(&gone, EPIPE, "the guest's kernel panicked");
	container_fail(guest.container, &gone);
	guest_turns();
	cr_assert_str_eq(guest.answers, "start failed (32);");
	cr_assert_str_eq(guest.said, "the guest's kernel panicked");
}

Test(task_start, why_a_guest_went_is_the_sandboxs_to_tell)
{
	guest_ask_start("", "start");
	goes();
}

Test(task_start, of_an_exec_too)
{
	start_exec();
	goes();
}

Test(task_start, a_process_that_was_never_added_is_not_found)
{
	guest_ask_start("nobody", "start");
	cr_assert_str_eq(guest.answers, "start failed (2);");
}
