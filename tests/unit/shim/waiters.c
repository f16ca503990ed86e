/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for a process's end: many, and some of them not for long. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/loop.h"
#include "tests/unit/shim/fake_guest.h"

#define MOST (SHIM_MAX_CALLS / 2)

TestSuite(waiters, .init = guest_set_up, .fini = guest_tear_down);

static unsigned answered, refused, late;

static void on_waited(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	if (!err)
		answered++;
	else if (err->code == ETIMEDOUT)
		late++;
	else
		refused++;
}

static void wait_for_init(unsigned times, int timeout_ms)
{
	Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {.service = &task__task__descriptor,
					   .method = "Wait",
					   .request = &request.base,
					   .timeout_ms = timeout_ms};

	request.id = (char *)"c";
	request.exec_id = (char *)"";
	for (unsigned i = 0; i < times; i++) {
		cr_assert_eq(rpc_invoke(guest.client, &inv, on_waited, NULL), 0);
		loop_turn(guest.shim->loop, 0);
	}
	guest_turns();
}

static unsigned waiting(void)
{
	const struct list *waiters = &guest.container->init.waiters;
	unsigned n = 0;

	for (const struct list *it = waiters->next; it != waiters; it = it->next)
		n++;
	return n;
}

/* Each side has its own clock for a call, and one may be through before the other has read of it. */
static void settle(void)
{
	for (int i = 0; i < 20; i++) {
		poll(NULL, 0, 2);
		guest_turns();
	}
}

Test(waiters, are_many_and_bounded)
{
	guest.container->init.state = PROCESS_RUNNING;
	wait_for_init(MOST, 0);
	cr_assert_eq(waiting(), MOST);
	cr_assert_eq(refused, 0);
	wait_for_init(1, 0);
	cr_assert_eq(refused, 1);
	/* And in nobody's way. */
	guest_ask_kill("", 15, "kill");
	cr_assert(guest_was_asked("Kill", ""));
	guest_exits("", 3);
	for (int i = 0; i < 1000 && answered < MOST; i++)
		guest_turns();
	cr_assert_eq(answered, MOST);
}

Test(waiters, who_has_gone_leaves_room)
{
	guest.container->init.state = PROCESS_RUNNING;
	for (int i = 0; i < 3; i++) {
		wait_for_init(MOST / 2, 1);
		for (int turn = 0; turn < 1000 && late < (unsigned)(i + 1) * (MOST / 2); turn++)
			loop_turn(guest.shim->loop, 1);
		settle();
	}
	/* Those that nobody waits for are found by the next who does. */
	wait_for_init(1, 0);
	settle();
	cr_assert_eq(waiting(), 1);
	cr_assert_eq(refused, 0);
	guest_exits("", 3);
	settle();
	cr_assert_eq(answered, 1);
}
