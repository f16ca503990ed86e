/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O APIC's registers: the input is a row of accesses, the first byte the number of pins. */
#include <stdlib.h>
#include <string.h>

#include "vmm/ioapic.h"

static unsigned n_pins;

static void on_change(unsigned pin, const struct ioapic_message *message, void *data)
{
	/* What KVM would be told: a pin that is there, and a message to the local APICs. */
	if (pin >= n_pins || (message->enabled && message->address >> 20 != 0xfee) ||
	    message->data & ~0x7ffu)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ioapic *ioapic;
	uint64_t value;

	if (!size)
		return 0;
	n_pins = 1 + data[0] % IOAPIC_MAX_PINS;
	if (ioapic_create(n_pins, on_change, NULL, &ioapic) < 0)
		abort();
	/* Of each eight bytes: the offset, small ones often; the width and direction; the value. */
	for (data++, size--; size >= 8; data += 8, size -= 8) {
		uint64_t offset = data[1] & 1 ? (data[0] & 0x10) : data[0] * 16u % IOAPIC_SIZE;
		unsigned len = 1u << (data[1] >> 1 & 3);

		memset(&value, 0, sizeof(value));
		memcpy(&value, data + 2, 6);
		if (data[1] & 0x80)
			ioapic_ops.read(ioapic, offset, &value, len);
		else
			ioapic_ops.write(ioapic, offset, &value, len);
	}
	ioapic_destroy(ioapic);
	return 0;
}
