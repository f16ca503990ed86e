/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/rate_limit.h"

#include <criterion/criterion.h>

#define SECOND 1000000000ull
#define START  (1ull << 50)

Test(rate_limit, without_a_rate_all_is_allowed)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 0, START);
	rate_bucket_spend(&b, RATE_MAX);
	cr_assert(rate_bucket_allows(&b, START));
	cr_assert_eq(rate_bucket_wait(&b), 0);
}

Test(rate_limit, a_second_at_once_and_then_the_rate)
{
	struct rate_bucket b;
	uint64_t now = START;

	rate_bucket_init(&b, 1000, now);
	for (int i = 0; i < 1000; i++) {
		cr_assert(rate_bucket_allows(&b, now));
		rate_bucket_spend(&b, 1);
	}
	cr_assert(!rate_bucket_allows(&b, now));
	cr_assert_eq(rate_bucket_wait(&b), SECOND / 1000);
	cr_assert(!rate_bucket_allows(&b, now + SECOND / 1000 - 1));
	cr_assert(rate_bucket_allows(&b, now + SECOND / 1000));
	rate_bucket_spend(&b, 1);
	cr_assert(!rate_bucket_allows(&b, now + SECOND / 1000));
}

Test(rate_limit, what_costs_more_leaves_a_debt)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 100, START);
	rate_bucket_spend(&b, 1000);
	cr_assert(!rate_bucket_allows(&b, START));
	/* 900 and the one that is needed to begin. */
	cr_assert_eq(rate_bucket_wait(&b), 9 * SECOND + SECOND / 100);
	cr_assert(!rate_bucket_allows(&b, START + 9 * SECOND));
	cr_assert(rate_bucket_allows(&b, START + 9 * SECOND + SECOND / 100));
}

Test(rate_limit, idle_time_brings_no_more_than_a_second)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 10, START);
	rate_bucket_spend(&b, 10);
	cr_assert(rate_bucket_allows(&b, START + 3600 * SECOND));
	cr_assert_eq(b.level, 10);
	cr_assert(rate_bucket_allows(&b, ~0ull));
	cr_assert_eq(b.level, 10);
}

/* Asked every few nanoseconds, each of which brings less than a unit. */
Test(rate_limit, asking_often_loses_nothing)
{
	struct rate_bucket b;
	uint64_t spent = 0;

	rate_bucket_init(&b, 777, START);
	rate_bucket_spend(&b, 777);
	for (uint64_t t = 0; t <= SECOND; t += 1013)
		if (rate_bucket_allows(&b, START + t)) {
			rate_bucket_spend(&b, 1);
			spent++;
		}
	cr_assert(spent >= 776 && spent <= 777, "%lu", (unsigned long)spent);
}

Test(rate_limit, a_clock_that_stands_or_goes_back)
{
	struct rate_bucket b;

	rate_bucket_init(&b, 5, START);
	rate_bucket_spend(&b, 5);
	cr_assert(!rate_bucket_allows(&b, START));
	cr_assert(!rate_bucket_allows(&b, 0));
	cr_assert(rate_bucket_allows(&b, START + SECOND));
}

Test(rate_limit, the_largest_numbers)
{
	struct rate_bucket b;

	rate_bucket_init(&b, RATE_MAX, START);
	for (int i = 0; i < 100; i++)
		rate_bucket_spend(&b, ~0ull);
	cr_assert(!rate_bucket_allows(&b, START));
	cr_assert(rate_bucket_wait(&b) <= 5 * SECOND);
	cr_assert(rate_bucket_allows(&b, ~0ull));
	cr_assert_eq(b.level, (int64_t)RATE_MAX);
	rate_bucket_init(&b, 1, 0);
	rate_bucket_spend(&b, RATE_MAX);
	cr_assert(!rate_bucket_allows(&b, SECOND));
	cr_assert_gt(rate_bucket_wait(&b), RATE_MAX);
}

Test(rate_limit, bytes_and_operations)
{
	struct rate_limit l;

	rate_limit_init(&l, 1000, 2, START);
	cr_assert(rate_limit_allows(&l, START));
	rate_limit_spend(&l, 1);
	rate_limit_spend(&l, 1);
	cr_assert(!rate_limit_allows(&l, START), "two operations");
	cr_assert_eq(rate_limit_wait(&l), SECOND / 2);
	cr_assert(rate_limit_allows(&l, START + SECOND / 2));
	rate_limit_spend(&l, 3000);
	cr_assert(!rate_limit_allows(&l, START + SECOND));
	cr_assert_gt(rate_limit_wait(&l), SECOND);
}
