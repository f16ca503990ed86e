/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that answers out of order, late, or with errors: what it was asked for may have been freed by then. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/loop.h"
#include "shim/agent_client.h"
#include "shim/shim_task_internal.h"
#include "shim/stream_hub.h"
#include "tests/unit/shim/fake_guest.h"

static void on_drained(struct stdio *stdio, void *data)
{
}

TestSuite(late_guest, .init = guest_set_up, .fini = guest_tear_down);

Test(late_guest, an_exec_whose_deletion_it_holds_back_goes_with_its_container)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_add_exec("e1");
	guest_exits("e1", 3);
	guest_ask_delete("e1", "e1");
	guest_exits("", 0);
	guest_ask_delete("", "init");
	cr_assert_str_eq(guest.answers, "");
	guest_answers("Delete", "");
	cr_assert_str_eq(guest.answers, "e1;init;");
	cr_assert(list_empty(&guest.shim->containers));
	guest_answers("Delete", "e1");
	cr_assert_str_eq(guest.answers, "e1;init;");
}

Test(late_guest, a_process_is_found_no_more_while_it_is_deleted)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_exits("", 0);
	guest_ask_delete("", "first");
	guest_ask_delete("", "second");
	cr_assert_str_eq(guest.answers, "second failed (2);");
	cr_assert_not(list_empty(&guest.shim->containers),
		      "a Shutdown does not end what is under way");
	guest_answers("Delete", "");
	cr_assert_str_eq(guest.answers, "second failed (2);first;");
}

Test(late_guest, a_deletion_that_it_never_answers_is_one_all_the_same)
{
	guest.hasty = true;
	guest.container->init.state = PROCESS_RUNNING;
	guest_add_exec("e1");
	guest_exits("e1", 3);
	guest_ask_delete("e1", "e1");
	guest_waits(20);
	cr_assert_str_eq(guest.answers, "", "it may have much to write");
	guest_waits(60);
	cr_assert_str_eq(guest.answers, "e1;");
	guest_exits("", 0);
	guest_ask_delete("", "init");
	guest_waits(80);
	cr_assert_str_eq(guest.answers, "e1;init;");
	cr_assert(list_empty(&guest.shim->containers));
	guest_answers("Delete", "e1");
	guest_answers("Delete", "");
	cr_assert_str_eq(guest.answers, "e1;init;");
}

/* containerd has three seconds for its Shutdown, and may have none left to ask for it. */
Test(late_guest, a_pod_without_containers_ends_when_nobody_is_there)
{
	guest.container->init.state = PROCESS_RUNNING;
	guest_exits("", 0);
	guest_ask_delete("", "init");
	list_remove(&guest.server->link);
	list_init(&guest.server->link);
	shim_end_if_unused(guest.shim);
	guest_turns();
	cr_assert_not(guest.ends, "while the deletion is under way");
	guest_answers("Delete", "");
	cr_assert(list_empty(&guest.shim->containers));
	cr_assert(guest.ends);
}

Test(late_guest, a_start_is_answered_when_what_it_started_is_gone)
{
	guest_ask_start("", "start");
	guest_exits("", 0);
	guest_ask_delete("", "init");
	guest_answers("Delete", "");
	cr_assert_str_eq(guest.answers, "start;init;");
	guest_answers("Start", "");
}

Test(late_guest, an_end_that_it_does_not_tell_is_one_after_those_of_the_execs)
{
	struct process *exec = guest_add_exec("e1");

	guest.container->init.state = PROCESS_RUNNING;
	guest_refuses("Wait", "", ENOENT, "never heard of it");
	cr_assert_eq(guest.container->init.state, PROCESS_RUNNING);
	guest_exits("e1", 0);
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert_eq(guest.container->init.state, PROCESS_STOPPED);
	cr_assert_eq(guest.container->init.exit_status, 255);
}

Test(late_guest, a_stream_that_it_never_dials_for_is_forgotten_with_its_process)
{
	Agent__Streams ids = AGENT__STREAMS__INIT;
	struct stream_hub *hub;
	struct process *exec = guest_add_exec("e1");
	char fifo[64];

	cr_assert_eq(stream_hub_create(guest.shim->loop, guest.shim->pod->dirfd, &hub), 0);
	snprintf(fifo, sizeof(fifo), "%s/in", guest.dir);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	stdio_destroy(exec->stdio);
	exec->stdio = NULL;
	free((char *)exec->uris.in);
	exec->uris.in = strdup(fifo);
	cr_assert_eq(stdio_create(guest.shim->loop, NULL, &exec->uris, on_drained, exec,
				  &exec->stdio, NULL),
		     0);
	cr_assert_eq(stdio_expect(exec->stdio, hub, &ids), 0);
	process_end(exec, 0);
	/* The hub goes first at the end of a pod: nothing of it may be held. */
	stream_hub_destroy(hub);
}

/* Its deletion is carried out when init has stopped, which the end of the machine does to it. */
Test(late_guest, a_created_container_is_deleted_after_the_machine_has_gone)
{
	struct err gone = ERR_INIT;

	guest_add_exec("e1");
	guest_ask_delete("", "init");
	guest_exits("", 137);
	cr_assert_eq(guest.container->init.state, PROCESS_CREATED, "e1 has not ended");
	agent_client_destroy(TAKE_PTR(guest.shim->sandbox.agent));
	err_set(&gone, EPIPE, "the machine has gone");
	container_fail(guest.container, &gone);
	guest_turns();
	cr_assert_str_eq(guest.answers, "init;");
	cr_assert(list_empty(&guest.shim->containers));
}

static struct process *add_patient(void)
{
	struct process *exec = guest_add_exec("e1");

	guest.container->init.state = PROCESS_RUNNING;
	guest.container->paused = true;
	exec->state = PROCESS_CREATED;
	exec->ignore_paused = true;
	guest_give_spec(exec);
	guest_ask_start("e1", "start");
	cr_assert_not(guest_was_asked("Exec", "e1"));
	guest_ask_start("e1", "again");
	cr_assert_str_eq(guest.answers, "again failed (16);");
	return exec;
}

Test(late_guest, a_start_waits_for_the_end_of_a_pause)
{
	struct process *exec = add_patient();

	guest.container->paused = false;
	task_release_starts(guest.container);
	guest_turns();
	cr_assert_eq(exec->state, PROCESS_STARTING);
	guest_answers("Exec", "e1");
	cr_assert_str_eq(guest.answers, "again failed (16);start;");
}

Test(late_guest, or_for_the_end_of_the_container)
{
	struct process *exec = add_patient();

	guest_exits("", 137);
	guest_turns();
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert(exec->never_ran);
	cr_assert_str_eq(guest.answers, "again failed (16);start failed (16);");
}

Test(late_guest, or_for_its_own_deletion)
{
	add_patient();
	guest_ask_delete("e1", "delete");
	guest_turns();
	cr_assert(strstr(guest.answers, "start failed") && strstr(guest.answers, "delete;"), "%s",
		  guest.answers);
}
