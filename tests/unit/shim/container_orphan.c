/* SPDX-License-Identifier: Apache-2.0 */
/* Execs whose stand-in or client has gone, in each state: they end, and nothing is left of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "any.pb-c.h"
#include "shim/shim_task_internal.h"
#include "tests/unit/shim/fake_guest.h"

#define THEIRS 77

TestSuite(container_orphan, .init = guest_set_up, .fini = guest_tear_down);

static void add_exec(const char *id, uint32_t stand_in)
{
	static const char process[] = "{\"cwd\":\"/\",\"args\":[\"true\"]}";
	Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
	Google__Any any = GOOGLE__ANY__INIT;

	guest.container->init.state = PROCESS_RUNNING;
	any.value.data = (uint8_t *)(uintptr_t)process;
	any.value.len = sizeof(process) - 1;
	request.id = (char *)"c";
	request.exec_id = (char *)(uintptr_t)id;
	request.spec = &any;
	request.stand_in = stand_in;
	guest_ask("Exec", &request.base, "exec");
	cr_assert_str_eq(guest.answers, "exec;");
	guest.answers[0] = '\0';
}

static void goes(pid_t pid)
{
	container_end_orphans(guest.shim, pid);
	guest_turns();
}

static bool is_there(const char *id)
{
	return container_find_process(guest.container, id) != NULL;
}

Test(container_orphan, one_that_was_only_added_is_deleted)
{
	add_exec("e", THEIRS);
	goes(THEIRS + 1);
	cr_assert(is_there("e"));
	goes(THEIRS);
	cr_assert_not(is_there("e"));
	cr_assert_not(guest_was_asked("Delete", "e"), "the guest knows of none");
}

/* containerd's are its own to delete, whoever of it comes back. */
Test(container_orphan, one_of_nobodys_stays)
{
	add_exec("e", 0);
	goes(THEIRS);
	goes(0);
	cr_assert(is_there("e"));
}

Test(container_orphan, one_that_runs_is_killed_and_deleted)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	guest_answers("Exec", "e");
	goes(THEIRS);
	cr_assert(is_there("e"));
	guest_answers("Kill", "e");
	guest_exits("e", 137);
	cr_assert_not(is_there("e"));
	guest_answers("Delete", "e");
}

Test(container_orphan, one_that_is_being_started_is_killed_then)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	goes(THEIRS);
	cr_assert_not(guest_was_asked("Kill", "e"));
	guest_answers("Exec", "e");
	cr_assert_str_eq(guest.answers, "start;");
	guest_answers("Kill", "e");
	guest_exits("e", 137);
	cr_assert_not(is_there("e"));
	guest_answers("Delete", "e");
}

Test(container_orphan, or_goes_with_a_start_that_fails)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	goes(THEIRS);
	guest_refuses("Exec", "e", ENOENT, "no such program");
	cr_assert_not(is_there("e"));
	cr_assert_not(guest_was_asked("Kill", "e"));
}

Test(container_orphan, one_that_has_ended_is_deleted)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	guest_answers("Exec", "e");
	guest_exits("e", 0);
	cr_assert(is_there("e"));
	goes(THEIRS);
	cr_assert_not(is_there("e"));
	guest_answers("Delete", "e");
}

Test(container_orphan, a_deletion_that_is_under_way_is_the_only_one)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	guest_answers("Exec", "e");
	guest_exits("e", 0);
	guest_ask_delete("e", "delete");
	goes(THEIRS);
	guest_answers("Delete", "e");
	cr_assert_not(guest_was_asked("Delete", "e"));
	cr_assert_str_eq(guest.answers, "start;delete;");
}

/* Its init waits for it, and may be deleted with the very end of it. */
Test(container_orphan, a_container_may_go_with_its_last_exec)
{
	add_exec("e", THEIRS);
	guest_ask_start("e", "start");
	guest_answers("Exec", "e");
	guest_exits("", 0);
	cr_assert_neq(guest.container->init.state, PROCESS_STOPPED);
	goes(THEIRS);
	guest_answers("Kill", "e");
	guest_exits("e", 137);
	cr_assert_eq(guest.container->init.state, PROCESS_STOPPED);
	guest_ask_delete("", "init");
	guest_answers("Delete", "");
	cr_assert(list_empty(&guest.shim->containers));
	guest_answers("Delete", "e");
}

static struct process *add_patient(void)
{
	struct process *exec;

	add_exec("e", THEIRS);
	exec = container_find_process(guest.container, "e");
	exec->ignore_paused = true;
	guest.container->paused = true;
	guest_ask_start("e", "start");
	cr_assert_not_null(exec->held_start);
	return exec;
}

Test(container_orphan, one_that_waits_for_the_end_of_a_pause_is_deleted)
{
	add_patient();
	goes(THEIRS);
	cr_assert_not(is_there("e"));
	cr_assert_str_eq(guest.answers, "start failed (2);");
}

/* Its stand-in lives on, and is told; the one who wanted its start has gone. */
Test(container_orphan, nobody_starts_it_when_the_pause_is_over)
{
	const struct process *exec = add_patient();

	rpc_conn_close(TAKE_PTR(guest.client));
	guest_turns();
	goes(THEIRS + 1);
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert_eq(exec->exit_status, 126);
	cr_assert_null(exec->held_start);
	guest.container->paused = false;
	task_release_starts(guest.container);
	guest_turns();
	cr_assert_not(guest_was_asked("Exec", "e"));
}
