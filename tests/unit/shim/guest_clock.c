/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shim/guest_clock.h"

#define MS  1000000ull
#define NOW (1700000000ull * 1000 * MS)

Test(guest_clock, half_of_the_way_is_taken_off)
{
	cr_assert_eq(guest_clock_correction(NOW, NOW + 2 * MS, NOW + 1 * MS), 0);
	cr_assert_eq(guest_clock_correction(NOW, NOW + 2 * MS, NOW + 31 * MS), -30 * (int64_t)MS);
	cr_assert_eq(guest_clock_correction(NOW, NOW + 2 * MS, NOW - 29 * MS), 30 * (int64_t)MS);
}

Test(guest_clock, what_the_way_may_account_for_is_nothing)
{
	cr_assert_eq(guest_clock_correction(NOW, NOW, NOW + MS / 2), 0);
	cr_assert_eq(guest_clock_correction(NOW, NOW + 100 * MS, NOW), 0);
	/* Of a slow one, what is certain. */
	cr_assert_eq(guest_clock_correction(NOW, NOW + 100 * MS, NOW - MS), 1 * (int64_t)MS);
	cr_assert_eq(guest_clock_correction(NOW, NOW + 1000 * MS, NOW + 9500 * MS),
		     -8500 * (int64_t)MS);
}

/* The host's clock was set back while the guest was asked, or the guest answers with anything. */
Test(guest_clock, nonsense_is_nothing)
{
	cr_assert_eq(guest_clock_correction(NOW, NOW - MS, NOW), 0);
	cr_assert_eq(guest_clock_correction(NOW, NOW + MS, UINT64_MAX), 0);
	cr_assert_eq(guest_clock_correction(NOW, NOW + 2 * MS, 0), (int64_t)(NOW + MS));
	cr_assert_eq(guest_clock_correction(NOW, NOW + 2 * MS, INT64_MAX),
		     -(int64_t)(INT64_MAX - NOW - MS));
}
