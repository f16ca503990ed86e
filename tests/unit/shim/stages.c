/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "shim/stages.h"

Test(stages, are_kept_in_order_of_time)
{
	struct stages stages = {0};

	cr_assert_str_eq(stages_last(&stages), "nothing");
	stages_add(&stages, "b", 20);
	stages_add(&stages, "a", 10);
	stages_add(&stages, "c", 30);
	stages_add(&stages, "b2", 20);
	cr_assert_eq(stages.n, 4);
	cr_assert_str_eq(stages.items[0].name, "a");
	cr_assert_str_eq(stages.items[1].name, "b");
	cr_assert_str_eq(stages.items[2].name, "b2");
	cr_assert_str_eq(stages_last(&stages), "c");
}

Test(stages, are_bounded_and_printable)
{
	struct stages stages = {0};

	stages_add(&stages, "\x1b[2J and a name that is a good deal longer than any stage's", 1);
	cr_assert_str_eq(stages.items[0].name, "?[2J and a name that is a good deal lon");
	for (int i = 0; i < 1000; i++)
		stages_add(&stages, "x", 5);
	cr_assert_eq(stages.n, STAGES_MAX);
}
