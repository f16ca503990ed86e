/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

Test(memory, small_sizes_are_one_region_from_zero)
{
	struct memory mem;

	memory_plan(&mem, 128 * MIB);
	cr_assert_eq(mem.n_regions, 1);
	cr_assert_eq(mem.regions[0].gpa, 0);
	cr_assert_eq(mem.regions[0].size, 128 * MIB);
}

Test(memory, exactly_the_hole_is_still_one_region)
{
	struct memory mem;

	memory_plan(&mem, MEMORY_HOLE_BEGIN);
	cr_assert_eq(mem.n_regions, 1);
	memory_plan(&mem, MEMORY_HOLE_BEGIN + 4096);
	cr_assert_eq(mem.n_regions, 2);
	cr_assert_eq(mem.regions[1].size, 4096);
}

Test(memory, what_does_not_fit_continues_at_four_gib)
{
	struct memory mem;

	memory_plan(&mem, 5 * GIB);
	cr_assert_eq(mem.n_regions, 2);
	cr_assert_eq(mem.regions[0].size, 3 * GIB);
	cr_assert_eq(mem.regions[1].gpa, 4 * GIB);
	cr_assert_eq(mem.regions[1].size, 2 * GIB);
}

Test(memory, refuses_sizes_that_are_no_pages_or_out_of_bounds)
{
	struct memory mem = {0};
	struct err err = ERR_INIT;
	const uint64_t sizes[] = {0,
				  4096,
				  MEMORY_MIN_SIZE - 4096,
				  MEMORY_MIN_SIZE + 1,
				  MEMORY_MAX_SIZE + 4096,
				  UINT64_MAX};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		cr_assert_eq(memory_create(&mem, sizes[i], &err), -EINVAL);
	cr_assert_eq(mem.n_regions, 0, "outputs are untouched on failure");
}

/* Two small regions with a gap, in ordinary memory. */
static uint8_t low[8192], high[4096];

static struct memory two_regions(void)
{
	return (struct memory){.n_regions = 2,
			       .regions = {{.gpa = 0x1000, .size = sizeof(low), .host = low},
					   {.gpa = 0x10000, .size = sizeof(high), .host = high}}};
}

Test(memory, finds_addresses_inside_one_region)
{
	struct memory mem = two_regions();

	cr_assert_eq(memory_at(&mem, 0x1000, 1), low);
	cr_assert_eq(memory_at(&mem, 0x1000, sizeof(low)), low);
	cr_assert_eq(memory_at(&mem, 0x2fff, 1), low + 0x1fff);
	cr_assert_eq(memory_at(&mem, 0x10000, sizeof(high)), high);
	cr_assert_eq(memory_at(&mem, 0x10800, 0), high + 0x800);
}

Test(memory, refuses_what_leaves_a_region_however_long)
{
	struct memory mem = two_regions();

	cr_assert_null(memory_at(&mem, 0xfff, 1));
	cr_assert_null(memory_at(&mem, 0xfff, 2), "crosses the lower border");
	cr_assert_null(memory_at(&mem, 0x2fff, 2), "crosses the upper border");
	cr_assert_null(memory_at(&mem, 0x3000, 1));
	cr_assert_null(memory_at(&mem, 0x1000, 0xf001), "reaches the next region");
	cr_assert_null(memory_at(&mem, 0x1000, UINT64_MAX), "a sum that wraps");
	cr_assert_null(memory_at(&mem, UINT64_MAX, 2));
	cr_assert_null(memory_at(&mem, UINT64_MAX - 0xfff, 0x3000));
}

Test(memory, copies_all_or_nothing)
{
	struct memory mem = two_regions();
	uint8_t buf[16];

	memset(buf, 0xa5, sizeof(buf));
	cr_assert_eq(memory_write(&mem, 0x2ff8, buf, 8), 0);
	cr_assert_eq(low[0x1fff], 0xa5);
	cr_assert_eq(memory_write(&mem, 0x2ff0, buf, 16), 0);
	memset(low, 0, sizeof(low));
	cr_assert_eq(memory_write(&mem, 0x2ff8, buf, 9), -EFAULT);
	cr_assert_eq(low[0x1ff8], 0, "nothing was written");
	cr_assert_eq(memory_read(&mem, 0x3000, buf, 1), -EFAULT);
	cr_assert_eq(buf[0], 0xa5);
}

Test(memory, maps_unmaps_and_is_zero)
{
	struct memory mem = {0};
	uint8_t *p;

	cr_assert_eq(memory_create(&mem, 64 * MIB, NULL), 0);
	p = memory_at(&mem, 64 * MIB - 1, 1);
	cr_assert_not_null(p);
	cr_assert_eq(*p, 0);
	*p = 1;
	memory_destroy(&mem);
	cr_assert_eq(mem.n_regions, 0);
	memory_destroy(&mem);
}

Test(memory, what_is_reserved_is_no_memory_until_it_is_opened)
{
	struct memory mem = {0};
	uint8_t *p;

	cr_assert_eq(memory_create(&mem, 64 * MIB, NULL), 0);
	cr_assert_eq(memory_reserve(&mem, 512 * MIB, 128 * MIB, NULL), 0);
	cr_assert_eq(mem.n_regions, 2);
	cr_assert_eq(mem.regions[1].gpa, 4 * GIB, "above the hole");
	cr_assert_null(memory_at(&mem, 4 * GIB, 0));
	cr_assert_eq(memory_open(&mem, 128 * MIB), 0);
	p = memory_at(&mem, 4 * GIB, 128 * MIB);
	cr_assert_not_null(p);
	p[0] = p[128 * MIB - 1] = 1;
	cr_assert_null(memory_at(&mem, 4 * GIB, 128 * MIB + 1));
	cr_assert_eq(memory_open(&mem, 64 * MIB), -EINVAL, "it never becomes less");
	cr_assert_eq(memory_open(&mem, 512 * MIB + 4096), -EINVAL);
	cr_assert_eq(memory_open(&mem, 128 * MIB + 1), -EINVAL);
	cr_assert_eq(memory_open(&mem, 512 * MIB), 0);
	cr_assert_eq(memory_at(&mem, 4 * GIB, 512 * MIB), p);
	cr_assert_eq(p[0], 1);
	memory_destroy(&mem);
}

Test(memory, a_reserve_lies_behind_all_memory)
{
	struct memory mem = {0};

	cr_assert_eq(memory_create(&mem, 3 * GIB + 4096, NULL), 0);
	cr_assert_eq(memory_reserve(&mem, 2 * GIB, 2 * GIB, NULL), 0);
	cr_assert_eq(mem.regions[2].gpa, 6 * GIB);
	memory_destroy(&mem);
	cr_assert_eq(memory_create(&mem, 64 * MIB, NULL), 0);
	cr_assert_eq(memory_reserve(&mem, 0, 4096, NULL), -EINVAL);
	cr_assert_eq(memory_reserve(&mem, MEMORY_MAX_SIZE + 4096, 4096, NULL), -EINVAL);
	cr_assert_eq(mem.n_regions, 1);
	memory_destroy(&mem);
}
