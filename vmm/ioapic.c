/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation
 *
 * Two registers, 32 bits each: the first selects, the second is what was selected.
 *
 *	0     ID, bits 24-27
 *	1     version, bits 0-7; highest pin, bits 16-23
 *	2     arbitration id, as ID
 *	0x10  pin 0, low half:  vector 0-7, delivery mode 8-10, logical destination 11, level 15, mask 16
 *	0x11  pin 0, high half: destination 24-31
 *	...
 *
 * A driver changes a pin half by half, with the mask set meanwhile where that matters, so each half
 * counts when it is written. All lines are edge triggered: the level bit is kept for who reads it and
 * has no effect, so there is no remote IRR and nothing to be acknowledged. An edge on a masked line is
 * lost, as the data sheet has it.
 *
 * Any vCPU may come here at any time, hence the lock. It is held across the callback, so that the last
 * message told is that of the last write.
 */
#include "vmm/ioapic.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REG_SELECT 0x00
#define REG_WINDOW 0x10

#define INDEX_ID          0
#define INDEX_VERSION     1
#define INDEX_ARBITRATION 2
#define INDEX_PINS        0x10

#define VERSION 0x11 /* without an EOI register, which edges do not need */
#define ID_MASK 0x0f000000u

#define PIN_VECTOR    0xffull
#define PIN_DELIVERY  0x700ull
#define PIN_LOGICAL   (1ull << 11)
#define PIN_MASKED    (1ull << 16)
#define PIN_DEST(pin) ((pin) >> 56)
/* What can be written: the rest is read-only status, or reserved. */
#define PIN_WRITABLE 0xff0000000001afffull

/* Intel SDM 3, 11.11: message signalled interrupts. */
#define MSI_ADDRESS       0xfee00000u
#define MSI_ADDRESS_LOGIC (1u << 2)
#define MSI_DEST_SHIFT    12

struct ioapic {
	pthread_mutex_t lock;
	ioapic_changed changed;
	void *data;
	unsigned n_pins;
	uint8_t select;
	uint32_t id;
	uint64_t pins[IOAPIC_MAX_PINS];
};

int ioapic_create(unsigned pins, ioapic_changed fn, void *data, struct ioapic **ret)
{
	struct ioapic *ioapic = calloc(1, sizeof(*ioapic));

	assert(pins && pins <= IOAPIC_MAX_PINS);
	if (!ioapic)
		return -ENOMEM;
	pthread_mutex_init(&ioapic->lock, NULL);
	ioapic->changed = fn;
	ioapic->data = data;
	ioapic->n_pins = pins;
	for (unsigned i = 0; i < pins; i++)
		ioapic->pins[i] = PIN_MASKED;
	*ret = ioapic;
	return 0;
}

void ioapic_destroy(struct ioapic *ioapic)
{
	if (!ioapic)
		return;
	pthread_mutex_destroy(&ioapic->lock);
	free(ioapic);
}

static struct ioapic_message message_of(uint64_t pin)
{
	struct ioapic_message message = {0};

	if (pin & PIN_MASKED)
		return message;
	message.enabled = true;
	message.address = MSI_ADDRESS | (uint32_t)PIN_DEST(pin) << MSI_DEST_SHIFT |
			  (pin & PIN_LOGICAL ? MSI_ADDRESS_LOGIC : 0);
	message.data = (uint32_t)(pin & (PIN_VECTOR | PIN_DELIVERY));
	return message;
}

static void write_pin(struct ioapic *ioapic, unsigned index, uint32_t value)
{
	unsigned pin = (index - INDEX_PINS) / 2, shift = index & 1 ? 32 : 0;
	struct ioapic_message old, new;

	if (pin >= ioapic->n_pins)
		return;
	old = message_of(ioapic->pins[pin]);
	ioapic->pins[pin] &= ~(0xffffffffull << shift);
	ioapic->pins[pin] |= (uint64_t)value << shift & PIN_WRITABLE;
	new = message_of(ioapic->pins[pin]);
	if (new.enabled != old.enabled || new.address != old.address || new.data != old.data)
		ioapic->changed(pin, &new, ioapic->data);
}

static void write_window(struct ioapic *ioapic, uint32_t value)
{
	if (ioapic->select == INDEX_ID)
		ioapic->id = value & ID_MASK;
	else if (ioapic->select >= INDEX_PINS)
		write_pin(ioapic, ioapic->select, value);
}

static uint32_t read_window(const struct ioapic *ioapic)
{
	unsigned pin;

	switch (ioapic->select) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return ioapic->id;
	case INDEX_VERSION:
		return VERSION | (ioapic->n_pins - 1) << 16;
	}
	if (ioapic->select < INDEX_PINS)
		return 0;
	pin = (ioapic->select - INDEX_PINS) / 2u;
	if (pin >= ioapic->n_pins)
		return 0;
	return (uint32_t)(ioapic->pins[pin] >> (ioapic->select & 1 ? 32 : 0));
}

/* Both registers are 32 bits wide; another width is a bug of the guest's. */
static void on_read(void *data, uint64_t offset, void *buf, unsigned len)
{
	struct ioapic *ioapic = data;
	uint32_t value = 0;

	memset(buf, 0, len);
	if (len != sizeof(value))
		return;
	pthread_mutex_lock(&ioapic->lock);
	if (offset == REG_SELECT)
		value = ioapic->select;
	else if (offset == REG_WINDOW)
		value = read_window(ioapic);
	pthread_mutex_unlock(&ioapic->lock);
	memcpy(buf, &value, sizeof(value));
}

static void on_write(void *data, uint64_t offset, const void *buf, unsigned len)
{
	struct ioapic *ioapic = data;
	uint32_t value;

	if (len != sizeof(value))
		return;
	memcpy(&value, buf, sizeof(value));
	pthread_mutex_lock(&ioapic->lock);
	if (offset == REG_SELECT)
		ioapic->select = (uint8_t)value;
	else if (offset == REG_WINDOW)
		write_window(ioapic, value);
	pthread_mutex_unlock(&ioapic->lock);
}

const struct bus_ops ioapic_ops = {.read = on_read, .write = on_write};
