/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/ioapic.h"

#include <criterion/criterion.h>
#include <string.h>

#define MASKED 0x10000u

static struct ioapic *ioapic;
static struct ioapic_message last[IOAPIC_MAX_PINS];
static unsigned n_changes;

static void on_change(unsigned pin, const struct ioapic_message *message, void *data)
{
	cr_assert_eq(data, &n_changes);
	cr_assert_lt(pin, IOAPIC_MAX_PINS);
	last[pin] = *message;
	n_changes++;
}

static void setup(void)
{
	memset(last, 0, sizeof(last));
	n_changes = 0;
	cr_assert_eq(ioapic_create(8, on_change, &n_changes, &ioapic), 0);
}

static void teardown(void)
{
	ioapic_destroy(ioapic);
}

TestSuite(ioapic, .init = setup, .fini = teardown);

static void put(uint64_t offset, uint32_t value)
{
	ioapic_ops.write(ioapic, offset, &value, sizeof(value));
}

static uint32_t get(uint64_t offset)
{
	uint32_t value = 0xdeadbeef;

	ioapic_ops.read(ioapic, offset, &value, sizeof(value));
	return value;
}

static void put_register(uint32_t index, uint32_t value)
{
	put(0, index);
	put(0x10, value);
}

static uint32_t get_register(uint32_t index)
{
	put(0, index);
	return get(0x10);
}

Test(ioapic, says_what_it_is)
{
	cr_expect_eq(get_register(1), 0x00070011);
	cr_expect_eq(get(0), 1);
	put_register(0, 0xffffffff);
	cr_expect_eq(get_register(0), 0x0f000000);
	cr_expect_eq(get_register(2), 0x0f000000);
	put_register(1, 0);
	cr_expect_eq(get_register(1), 0x00070011, "read-only");
}

Test(ioapic, is_masked_at_first)
{
	for (unsigned pin = 0; pin < 8; pin++) {
		cr_expect_eq(get_register(0x10 + 2 * pin), MASKED);
		cr_expect_eq(get_register(0x11 + 2 * pin), 0);
	}
	cr_expect_eq(n_changes, 0);
}

Test(ioapic, a_masked_pin_is_prepared_in_silence)
{
	put_register(0x11 + 2 * 5, 0x03000000);
	put_register(0x10 + 2 * 5, MASKED | 0x25);
	cr_expect_eq(n_changes, 0);
	put_register(0x10 + 2 * 5, 0x25);
	cr_expect_eq(n_changes, 1);
	cr_expect(last[5].enabled);
	cr_expect_eq(last[5].address, 0xfee03000);
	cr_expect_eq(last[5].data, 0x25);
	put_register(0x10 + 2 * 5, 0x25);
	cr_expect_eq(n_changes, 1, "nothing new is not told");
	put_register(0x10 + 2 * 5, MASKED | 0x25);
	cr_expect_eq(n_changes, 2);
	cr_expect(!last[5].enabled);
}

Test(ioapic, a_message_says_mode_and_destination)
{
	put_register(0x10, 0x0931); /* logical, lowest priority */
	cr_expect_eq(last[0].address, 0xfee00004);
	cr_expect_eq(last[0].data, 0x131);
	put_register(0x11, 0xff000000);
	cr_expect_eq(n_changes, 2, "each half counts when it is written");
	cr_expect_eq(last[0].address, 0xfeeff004);
}

Test(ioapic, status_bits_cannot_be_written)
{
	put_register(0x12, 0xffffffff);
	put_register(0x13, 0xffffffff);
	cr_expect_eq(get_register(0x12), 0x0001afff);
	cr_expect_eq(get_register(0x13), 0xff000000);
}

Test(ioapic, there_are_no_other_registers_and_pins)
{
	for (unsigned index = 0; index < 256; index++) {
		if (index < 3 || (index >= 0x10 && index < 0x20))
			continue;
		put_register(index, 0x42);
		cr_expect_eq(get_register(index), 0, "register %#x", index);
	}
	for (unsigned offset = 4; offset < IOAPIC_SIZE; offset += 4) {
		if (offset == 0x10)
			continue;
		put(offset, 0x42);
		cr_expect_eq(get(offset), 0, "offset %#x", offset);
	}
	cr_expect_eq(n_changes, 0);
}

Test(ioapic, a_register_has_one_width)
{
	uint64_t value = 0x0000002500000025ull, room = UINT64_MAX;

	put(0, 0x10);
	ioapic_ops.write(ioapic, 0x10, &value, 1);
	ioapic_ops.write(ioapic, 0x10, &value, 2);
	ioapic_ops.write(ioapic, 0x10, &value, 8);
	cr_expect_eq(n_changes, 0);
	ioapic_ops.read(ioapic, 0x10, &room, 8);
	cr_expect_eq(room, 0);
}
