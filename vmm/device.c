// SPDX-License-Identifier: Apache-2.0
#include "vmm/device.h"

#include <errno.h>
#include <stdio.h>

#include "common/slots.h"

/*
 * The lowest that is free, whatever device has it: a kernel goes over all pins below the last several times
 * while it boots, a dozen exits each. 0 and 2 are the timer and the second PIC to many a kernel.
 */
static unsigned free_line(const struct device_table *table)
{
	return (unsigned)__builtin_ctz(~(device_table_lines(table) | 1u << 0 | 1u << 2));
}

static void add_virtio(struct device_table *table, enum device_kind kind, unsigned index,
		       unsigned place)
{
	unsigned line = free_line(table);

	table->slots[table->n++] = (struct device_slot){
		.kind = kind,
		.index = index,
		.base = DEVICE_MMIO_BASE + place * DEVICE_MMIO_SIZE,
		.gsi = line,
	};
}

/* A place is kept for what is left out, so that the others' addresses do not depend on it. */
void device_table_plan(struct device_table *table, const struct device_choice *choice)
{
	unsigned place = 0;

	*table = (struct device_table){.n = 1};
	table->slots[0] = (struct device_slot){
		.kind = DEVICE_SERIAL, .base = DEVICE_SERIAL_PORT, .gsi = DEVICE_SERIAL_GSI};
	if (choice->vsock)
		add_virtio(table, DEVICE_VSOCK, 0, place);
	place++;
	add_virtio(table, DEVICE_RNG, 0, place++);
	for (unsigned i = 0; i < choice->disks; i++)
		add_virtio(table, DEVICE_BLK, i, place++);
	for (unsigned i = 0; i < NET_MAX_SLOTS; i++, place++)
		if (choice->net)
			add_virtio(table, DEVICE_NET, i, place);
	if (choice->share)
		add_virtio(table, DEVICE_FS, 0, place);
	place++;
	add_virtio(table, DEVICE_BALLOON, 0, place++);
	if (choice->mem)
		add_virtio(table, DEVICE_MEM, 0, place);
}

uint32_t device_table_lines(const struct device_table *table)
{
	uint32_t lines = 0;

	for (unsigned i = 0; i < table->n; i++)
		lines |= 1u << table->slots[i].gsi;
	return lines;
}

int device_table_cmdline(const struct device_table *table, char *buf, size_t size)
{
	size_t at = 0;

	for (unsigned i = 0; i < table->n; i++) {
		const struct device_slot *slot = &table->slots[i];
		int n;

		if (slot->kind == DEVICE_SERIAL)
			continue;
		n = snprintf(buf + at, size - at, " virtio_mmio.device=4K@%#llx:%u",
			     (unsigned long long)slot->base, slot->gsi);
		if (n < 0 || (size_t)n >= size - at)
			return -ENOSPC;
		at += n;
	}
	return at;
}
