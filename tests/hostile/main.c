/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that has no purpose but to attack its virtual machine monitor: a kernel of its own, without
 * Linux in between. It tells of each attack on the console, "ok NAME" or "not ok NAME: why", and "done N"
 * at the end. tests/integration/90-hostile.sh runs it and watches from outside.
 */
#include "attack.h"

#define MAX_DEVICES 20

static struct queue queues[MAX_DEVICES][MAX_QUEUES];
static struct device devices[MAX_DEVICES];
static const char *attack_kind, *attack_name;
static unsigned n_attacks;

static bool canary_lives(void)
{
	for (unsigned i = 0; i < 4096; i++)
		if (((volatile uint8_t *)CANARY)[i] != 0xa5)
			return false;
	return true;
}

bool device_listens(const struct device *dev)
{
	return dev->id == ID_RNG || dev->id == ID_BLK || dev->id == ID_VSOCK || dev->id == ID_FS ||
	       dev->id == ID_BALLOON || dev->id == ID_MEM;
}

void attack_begin(struct device *dev, const char *kind, const char *name)
{
	attack_kind = kind;
	attack_name = name;
	memset((void *)CANARY, 0xa5, 4096);
	device_start(dev);
}

static const char *judge(struct device *dev, enum outcome expected, enum outcome seen)
{
	if (seen == OUTCOME_WRONG)
		return "a wrong answer";
	if (expected == OUTCOME_BROKEN && !device_is_broken(dev))
		return "the device did not notice";
	if (reg_read(dev, VIRTIO_MMIO_MAGIC_VALUE) != 0x74726976)
		return "the registers are gone";
	if (!device_start(dev))
		return "the device does not start again";
	if (!device_serves(dev))
		return "the device does not serve again";
	return canary_lives() ? NULL : "memory was written that nobody gave";
}

void attack_end(struct device *dev, enum outcome expected, enum outcome seen)
{
	const char *why = judge(dev, expected, seen);

	say(why ? "not ok " : "ok ");
	say(dev->name);
	say(": ");
	say(attack_kind);
	say(": ");
	say(attack_name);
	if (why) {
		say(": ");
		say(why);
	}
	say("\n");
	n_attacks++;
}

static void name_device(struct device *dev, const char *kind, unsigned number)
{
	size_t n = strlen(kind);

	memcpy(dev->name, kind, n);
	if (dev->id == ID_BLK)
		dev->name[n++] = (char)('0' + number);
	dev->name[n] = '\0';
}

/* The devices lie page after page; what is not one reads as ones. */
static unsigned find_devices(void)
{
	unsigned n = 0, disks = 0;

	for (uint64_t at = MMIO; n < MAX_DEVICES && mmio_read32(at) == 0x74726976; at += 0x1000) {
		struct device *dev = &devices[n];

		*dev = (struct device){.base = at, .queues = queues[n]};
		dev->id = reg_read(dev, VIRTIO_MMIO_DEVICE_ID);
		dev->attacked = dev->id == ID_RNG || dev->id == ID_BLK || dev->id == ID_MEM ? 0 : 1;
		name_device(dev,
			    dev->id == ID_NET       ? "net"
			    : dev->id == ID_BLK     ? "blk"
			    : dev->id == ID_RNG     ? "rng"
			    : dev->id == ID_VSOCK   ? "vsock"
			    : dev->id == ID_FS      ? "fs"
			    : dev->id == ID_BALLOON ? "balloon"
			    : dev->id == ID_MEM     ? "mem"
						    : "?",
			    dev->id == ID_BLK ? disks++ : 0);
		n++;
	}
	return n;
}

/* What the serial port is told without end, and without anybody asking whether there is room. */
static void attack_console(void)
{
	for (unsigned i = 0; i < 20000; i++)
		out8(0x3f8, (uint8_t)(i % 61 ? 'x' : '\n'));
	for (unsigned port = 0; port < 8; port++)
		for (unsigned v = 0; v < 256; v++) {
			out8((uint16_t)(0x3f8 + port), (uint8_t)v);
			in8((uint16_t)(0x3f8 + port));
		}
	/* 8 data bits, no interrupts, no loop back: as it was. */
	out8(0x3f8 + 3, 3);
	out8(0x3f8 + 1, 0);
	out8(0x3f8 + 4, 3);
	say("\nok console: a flood, and every register\n");
	n_attacks++;
}

/* Whether the kernel's command line says so: the boot protocol's cmd_line_ptr. */
static bool is_told(const uint8_t *boot_params, const char *word)
{
	uint32_t at = *(const uint32_t *)(boot_params + 0x228);
	size_t n = strlen(word);

	for (const char *p = (const char *)(uintptr_t)at; *p; p++) {
		size_t i = 0;

		while (i < n && p[i] == word[i])
			i++;
		if (i == n)
			return true;
	}
	return false;
}

static void attack_as_advised(struct device *dev)
{
	if (dev->id == ID_BLK)
		attack_image(dev);
	else if (dev->id == ID_FS)
		attack_folders(dev);
}

void hostile_main(const void *boot_params);
void hostile_main(const void *boot_params)
{
	bool advisories = is_told(boot_params, "advisories");
	unsigned n = find_devices();

	for (unsigned i = 0; i < n; i++) {
		struct device *dev = &devices[i];

		attack_as_advised(dev);
		if (advisories)
			continue;
		attack_registers(dev);
		attack_rings(dev);
		if (dev->id == ID_BLK)
			attack_blk(dev);
		else if (dev->id == ID_VSOCK)
			attack_vsock(dev);
		else if (dev->id == ID_FS)
			attack_fs(dev);
		else if (dev->id == ID_BALLOON)
			attack_balloon(dev);
		else if (dev->id == ID_MEM)
			attack_mem(dev);
	}
	if (!advisories)
		attack_console();
	say("done ");
	say_number(n_attacks);
	say("\n");
	end_machine();
}
