/* SPDX-License-Identifier: Apache-2.0 */
/* A Create that the guest does not live to answer: what its client is told, and what poststop hooks undo. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/agent_client.h"
#include "shim/hooks_due.h"
#include "shim/spec.h"
#include "tests/unit/shim/fake_guest.h"

TestSuite(task_create, .init = guest_set_up, .fini = guest_tear_down, .timeout = 20);

static char undone[128], note[128];

/* Whether poststop hooks are due: -EBUSY, and the shim's; 0, and somebody else's; -ENOENT. */
static int noted(void)
{
	struct hooks_due *due = NULL;
	int r = hooks_due_take(note, 0, &due);

	hooks_due_destroy(due);
	return r;
}

/* One on its way, which has its root. */
static void begin(const char *hooks)
{
	static Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
	static Spec__Spec guest_spec = SPEC__SPEC__INIT;
	struct container *container = guest.container;
	struct err err = ERR_INIT;
	char text[512];

	snprintf(note, sizeof(note), "%s/poststop", guest.dir);
	request.poststop = note;
	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},\"process\":{\"cwd\":\"/"
		 "\",\"args\":[\"x\"]},\"hooks\":{%s}}",
		 hooks);
	cr_assert_eq(spec_parse(text, strlen(text), &container->spec, &err), 0, "%s", err.msg);
	container->guest_spec = &guest_spec;
	container->state = CONTAINER_NEW;
	container->create = guest_keep_call("create");
	container->request = &request;
}

/* One whose Create the guest has; with hooks, each of which notes that it has run. */
static void create(const char *hooks)
{
	begin(hooks);
	container_shared(guest.container);
	guest_turns();
	cr_assert(guest_was_asked("Create", "c"));
	cr_assert_eq(noted(), -EBUSY);
}

static void fail(const char *why)
{
	struct err err = ERR_INIT;

	err_set(&err, EPIPE, "%s", why);
	container_fail(guest.container, &err);
}

static void create_with_poststop(const char *script)
{
	char hooks[256];

	snprintf(undone, sizeof(undone), "%s/undone", guest.dir);
	snprintf(hooks, sizeof(hooks),
		 "\"poststop\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"exec >>%s; %s\"]}]",
		 undone, script);
	create(hooks);
}

static void await_answer(void)
{
	while (!guest.answers[0]) {
		guest_turns();
		poll(NULL, 0, 1);
	}
}

Test(task_create, is_told_why_the_guest_went)
{
	create("");
	guest_goes();
	cr_assert_str_eq(guest.answers, "");
	fail("the guest's kernel panicked");
	guest_turns();
	cr_assert_str_eq(guest.answers, "create failed (32);");
	cr_assert_str_eq(guest.said, "the guest's kernel panicked");
}

static void is_undone_once(void)
{
	char once[8] = "";
	FILE *file;

	guest_turns();
	cr_assert_str_eq(guest.answers, "");
	await_answer();
	cr_assert_str_eq(guest.answers, "create failed (32);");
	cr_assert_str_eq(guest.said, "the guest's kernel panicked");
	cr_assert(list_empty(&guest.shim->containers));
	file = fopen(undone, "re");
	cr_assert_not_null(file);
	cr_assert_eq(fread(once, 1, sizeof(once), file), 2, "%s", once);
	fclose(file);
	cr_assert_eq(noted(), -ENOENT);
}

Test(task_create, after_what_its_hooks_made_has_been_undone)
{
	create_with_poststop("echo x; sleep 0.1");
	guest_goes();
	fail("the guest's kernel panicked");
	fail("and is gone");
	is_undone_once();
}

/* The monitor's end was known first, and the agent's connection is closed for that. */
Test(task_create, as_when_nobody_listens_to_the_guest_any_more)
{
	create_with_poststop("echo x; sleep 0.1");
	fail("the guest's kernel panicked");
	poll(NULL, 0, 50);
	agent_client_destroy(TAKE_PTR(guest.shim->sandbox.agent));
	is_undone_once();
}

Test(task_create, a_shim_that_ends_does_not_wait_for_hooks)
{
	create_with_poststop("sleep 10");
	guest_goes();
	fail("the guest's kernel panicked");
	guest.shim->closing = true;
	fail("the sandbox was torn down");
	guest_turns();
	cr_assert_str_eq(guest.answers, "create failed (32);");
	container_let_go(guest.container);
	cr_assert(list_empty(&guest.shim->containers));
	cr_assert_eq(noted(), 0);
}

Test(task_create, whose_hooks_a_deletion_runs)
{
	create_with_poststop("echo x");
	/* As if the guest had it. */
	rpc_reply_empty(TAKE_PTR(guest.container->create));
	guest.container->request = NULL;
	guest.container->state = CONTAINER_CREATED;
	guest_exits("", 0);
	cr_assert_eq(noted(), -EBUSY);
	guest.answers[0] = '\0';
	guest_ask_delete("", "delete");
	guest_answers("Delete", "");
	await_answer();
	cr_assert_str_eq(guest.answers, "delete;");
	cr_assert_eq(access(undone, F_OK), 0);
	cr_assert_eq(noted(), -ENOENT);
}

/* --- deleted on its way ------------------------------------------------------------------------ */

static void is_gone_with(const char *answers)
{
	cr_assert_str_eq(guest.answers, answers);
	cr_assert(list_empty(&guest.shim->containers));
}

Test(task_create, ends_at_its_next_step_when_it_is_deleted)
{
	begin("");
	guest_ask_delete("", "delete");
	cr_assert_str_eq(guest.answers, "");
	container_shared(guest.container);
	guest_turns();
	is_gone_with("create failed (125);delete failed (2);");
}

Test(task_create, ends_its_hooks_when_it_is_deleted)
{
	begin("\"createRuntime\":[{\"path\":\"/bin/sleep\",\"args\":[\"sleep\",\"1000\"]}]");
	container_shared(guest.container);
	guest_turns();
	guest_ask_delete("", "delete");
	is_gone_with("create failed (125);delete failed (2);");
}

Test(task_create, in_the_guest_it_is_made_and_then_deleted)
{
	static struct hypervisor hv = {.pid = 1};

	guest.shim->sandbox.hv = &hv;
	create("");
	guest_ask_delete("", "delete");
	cr_assert_str_eq(guest.answers, "");
	guest_answers("Create", "c");
	cr_assert_str_eq(guest.answers, "create;");
	cr_assert(guest_was_asked("Kill", ""));
	guest_exits("", 137);
	guest_answers("Delete", "");
	is_gone_with("create;delete;");
	guest.shim->sandbox.hv = NULL;
}

Test(task_create, in_the_guest_it_may_fail)
{
	create("");
	guest_ask_delete("", "delete");
	guest_refuses("Create", "c", ENOSPC, "no room");
	is_gone_with("create failed (5);delete failed (2);");
}

Test(task_create, a_guest_that_goes_answers_both)
{
	create_with_poststop("echo x");
	guest_ask_delete("", "delete");
	fail("the guest's kernel panicked");
	await_answer();
	guest_turns();
	is_gone_with("create failed (32);delete failed (2);");
}
