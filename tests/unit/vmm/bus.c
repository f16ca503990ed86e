/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/bus.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

/* A device that remembers the last access. */
struct probe {
	unsigned reads, writes, len;
	uint64_t offset;
	uint8_t written[8];
};

static void on_read(void *data, uint64_t offset, void *buf, unsigned len)
{
	struct probe *p = data;

	p->reads++;
	p->offset = offset;
	p->len = len;
	memset(buf, 0x11, len);
}

static void on_write(void *data, uint64_t offset, const void *buf, unsigned len)
{
	struct probe *p = data;

	p->writes++;
	p->offset = offset;
	p->len = len;
	memcpy(p->written, buf, len);
}

static const struct bus_ops ops = {.read = on_read, .write = on_write};

Test(bus, finds_the_device_that_holds_the_access)
{
	struct probe a = {0}, b = {0}, c = {0};
	struct bus bus = {0};
	uint32_t v = 0;

	cr_assert_eq(bus_add(&bus, 0x3000, 0x1000, &ops, &c), 0);
	cr_assert_eq(bus_add(&bus, 0x1000, 0x1000, &ops, &a), 0);
	cr_assert_eq(bus_add(&bus, 0x2000, 0x1000, &ops, &b), 0);
	bus_read(&bus, 0x2000, &v, 4);
	cr_assert_eq(v, 0x11111111);
	cr_assert_eq(b.reads, 1);
	cr_assert_eq(b.offset, 0);
	bus_write(&bus, 0x1ffc, "abcd", 4);
	cr_assert_eq(a.writes, 1);
	cr_assert_eq(a.offset, 0xffc);
	cr_assert_arr_eq(a.written, "abcd", 4);
	bus_write(&bus, 0x3fff, "z", 1);
	cr_assert_eq(c.offset, 0xfff);
}

Test(bus, nobody_there_reads_ones_and_ignores_writes)
{
	struct probe a = {0};
	struct bus bus = {0};
	uint64_t v = 0;

	bus_read(&bus, 0, &v, 8);
	cr_assert_eq(v, UINT64_MAX, "an empty bus");
	cr_assert_eq(bus_add(&bus, 0x1000, 8, &ops, &a), 0);
	for (uint64_t addr = 0xff9; addr < 0x1000; addr++) {
		v = 0;
		bus_read(&bus, addr, &v, 8);
		cr_assert_eq(v, UINT64_MAX, "straddles the beginning");
	}
	bus_write(&bus, 0x1001, &v, 8);
	bus_read(&bus, 0x1008, &v, 1);
	bus_read(&bus, UINT64_MAX, &v, 8);
	cr_assert_eq(a.reads + a.writes, 0);
}

Test(bus, the_last_byte_of_the_space_works)
{
	struct probe a = {0};
	struct bus bus = {0};
	uint8_t v;

	cr_assert_eq(bus_add(&bus, UINT64_MAX, 1, &ops, &a), 0);
	bus_read(&bus, UINT64_MAX, &v, 1);
	cr_assert_eq(a.reads, 1);
	cr_assert_eq(bus_add(&bus, UINT64_MAX, 2, &ops, &a), -EINVAL);
}

Test(bus, refuses_overlaps_empty_ranges_and_too_many)
{
	struct probe a = {0};
	struct bus bus = {0};

	cr_assert_eq(bus_add(&bus, 0x1000, 0, &ops, &a), -EINVAL);
	cr_assert_eq(bus_add(&bus, 0x1000, 0x100, &ops, &a), 0);
	cr_assert_eq(bus_add(&bus, 0x1000, 0x100, &ops, &a), -EEXIST);
	cr_assert_eq(bus_add(&bus, 0x0fff, 2, &ops, &a), -EEXIST);
	cr_assert_eq(bus_add(&bus, 0x10ff, 1, &ops, &a), -EEXIST);
	cr_assert_eq(bus_add(&bus, 0, 0x10000, &ops, &a), -EEXIST);
	cr_assert_eq(bus_add(&bus, 0x1100, 1, &ops, &a), 0);
	cr_assert_eq(bus_add(&bus, 0x0fff, 1, &ops, &a), 0);
	while (bus.n_devices < BUS_MAX_DEVICES)
		cr_assert_eq(bus_add(&bus, 0x10000 + bus.n_devices, 1, &ops, &a), 0);
	cr_assert_eq(bus_add(&bus, 0x20000, 1, &ops, &a), -ENOSPC);
}
