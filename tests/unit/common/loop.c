/* SPDX-License-Identifier: Apache-2.0 */
#include "common/loop.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct loop *loop;
static struct source *sources[2];
static int fired[2];

static void setup(void)
{
	cr_assert_eq(loop_create(&loop), 0);
}

static void teardown(void)
{
	loop_destroy(loop);
}

TestSuite(loop, .init = setup, .fini = teardown);

static void on_count(struct source *source, uint32_t events, void *data)
{
	(*(int *)data)++;
}

/* Whoever fires first removes both: the other one must not fire, though its event was fetched. */
static void on_remove_both(struct source *source, uint32_t events, void *data)
{
	(*(int *)data)++;
	source_remove(sources[0]);
	source_remove(sources[1]);
}

Test(loop, a_removed_source_never_fires_again)
{
	int p[2], q[2];

	cr_assert_eq(pipe(p), 0);
	cr_assert_eq(pipe(q), 0);
	cr_assert_eq(loop_add_io(loop, p[0], EPOLLIN, on_remove_both, &fired[0], &sources[0]), 0);
	cr_assert_eq(loop_add_io(loop, q[0], EPOLLIN, on_remove_both, &fired[1], &sources[1]), 0);
	cr_assert_eq(write(p[1], "x", 1), 1);
	cr_assert_eq(write(q[1], "x", 1), 1);
	cr_assert_eq(loop_turn(loop, 1000), 0);
	cr_assert_eq(fired[0] + fired[1], 1);
	cr_assert_eq(loop_turn(loop, 0), 0);
	cr_assert_eq(fired[0] + fired[1], 1);
}

static void on_defer_again(struct source *source, uint32_t events, void *data)
{
	(*(int *)data)++;
	source_defer(source);
}

Test(loop, a_deferred_call_runs_once_a_turn_and_starves_nobody)
{
	int n = 0;
	struct source *s;

	cr_assert_eq(loop_add_defer(loop, on_defer_again, &n, &s), 0);
	source_defer(s);
	source_defer(s);
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(loop_turn(loop, -1), 0);
		cr_assert_eq(n, i);
	}
	source_remove(s);
	cr_assert_eq(loop_turn(loop, 0), 0);
	cr_assert_eq(n, 3);
}

Test(loop, timers_and_signals)
{
	int ticks = 0, signals = 0;
	struct source *t, *s;

	cr_assert_eq(loop_add_timer(loop, on_count, &ticks, &t), 0);
	cr_assert_eq(loop_add_signal(loop, SIGUSR1, on_count, &signals, &s), 0);
	source_arm(t, 1000000);
	kill(getpid(), SIGUSR1);
	while (!ticks || !signals)
		cr_assert_eq(loop_turn(loop, 1000), 0);
	cr_assert_eq(loop_turn(loop, 5), 0);
	cr_assert_eq(ticks, 1);
	cr_assert_eq(signals, 1);
}

static void on_exit_loop(struct source *source, uint32_t events, void *data)
{
	loop_exit(loop, 7);
}

Test(loop, exit_gives_its_code)
{
	struct source *s;

	cr_assert_eq(loop_add_defer(loop, on_exit_loop, NULL, &s), 0);
	source_defer(s);
	cr_assert_eq(loop_run(loop), 7);
}
