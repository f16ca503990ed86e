/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What virtio-mem should neither grant nor take: virtio 1.2, 5.15. 90-hostile.sh requests OPEN bytes of a
 * region of twice that; each attack begins with nothing plugged.
 */
#include <linux/virtio_mem.h>

#include "attack.h"

#define BLOCK 0x200000ull
#define OPEN  0x8000000ull /* 128 MiB */
#define MIB   0x100000ull

#define ANSWER    (BUFFER + 0x8000)
#define NO_ANSWER 0xffff

static uint64_t config64(const struct device *dev, size_t offset)
{
	unsigned at = VIRTIO_MMIO_CONFIG + (unsigned)offset;

	return reg_read(dev, at) | (uint64_t)reg_read(dev, at + 4) << 32;
}

#define CONFIG(dev, member) config64(dev, offsetof(struct virtio_mem_config, member))

static uint16_t ask(struct device *dev, uint16_t type, uint64_t addr, uint16_t n)
{
	struct segment segments[] = {{BUFFER, sizeof(struct virtio_mem_req), false},
				     {ANSWER, sizeof(struct virtio_mem_resp), true}};

	*(struct virtio_mem_req *)BUFFER =
		(struct virtio_mem_req){.type = type, .u.plug = {.addr = addr, .nb_blocks = n}};
	*(volatile uint16_t *)ANSWER = NO_ANSWER;
	if (!device_request(dev, segments, 2))
		return NO_ANSWER;
	return *(volatile uint16_t *)ANSWER;
}

bool mem_serves(struct device *dev)
{
	return ask(dev, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0) == VIRTIO_MEM_RESP_ACK &&
	       CONFIG(dev, plugged_size) == 0;
}

/* Requests that are well formed and ask for what must not be; offset is from the region's begin. */
static const struct wish {
	const char *name;
	uint16_t type;
	uint64_t offset;
	uint16_t n;
	uint16_t answer;
} wishes[] = {
	{"no block", VIRTIO_MEM_REQ_PLUG, 0, 0, VIRTIO_MEM_RESP_ERROR},
	{"half a block", VIRTIO_MEM_REQ_PLUG, MIB, 1, VIRTIO_MEM_RESP_ERROR},
	{"one byte", VIRTIO_MEM_REQ_PLUG, 1, 1, VIRTIO_MEM_RESP_ERROR},
	{"the block before the region", VIRTIO_MEM_REQ_PLUG, -BLOCK, 1, VIRTIO_MEM_RESP_ERROR},
	{"blocks across its begin", VIRTIO_MEM_REQ_PLUG, -BLOCK, 2, VIRTIO_MEM_RESP_ERROR},
	{"a block that is not granted", VIRTIO_MEM_REQ_PLUG, OPEN, 1, VIRTIO_MEM_RESP_ERROR},
	{"blocks across what is granted", VIRTIO_MEM_REQ_PLUG, OPEN - BLOCK, 2,
	 VIRTIO_MEM_RESP_ERROR},
	{"one more than is granted", VIRTIO_MEM_REQ_PLUG, 0, OPEN / BLOCK + 1,
	 VIRTIO_MEM_RESP_ERROR},
	{"the block behind the region", VIRTIO_MEM_REQ_PLUG, 2 * OPEN, 1, VIRTIO_MEM_RESP_ERROR},
	{"as many as can be said", VIRTIO_MEM_REQ_PLUG, 0, 0xffff, VIRTIO_MEM_RESP_ERROR},
	{"an end that wraps", VIRTIO_MEM_REQ_PLUG, 0xfffffffe00000000, 0xffff,
	 VIRTIO_MEM_RESP_ERROR},
	{"what is not there, unplugged", VIRTIO_MEM_REQ_UNPLUG, 0, 1, VIRTIO_MEM_RESP_ERROR},
	{"everything, unplugged", VIRTIO_MEM_REQ_UNPLUG, 0, 0xffff, VIRTIO_MEM_RESP_ERROR},
	{"the kernel, unplugged", VIRTIO_MEM_REQ_UNPLUG, 0x200000 - (1ull << 32), 1,
	 VIRTIO_MEM_RESP_ERROR},
	{"the state of all addresses", VIRTIO_MEM_REQ_STATE, 0, 0xffff, VIRTIO_MEM_RESP_ERROR},
	{"the state of memory", VIRTIO_MEM_REQ_STATE, -(1ull << 32), 1, VIRTIO_MEM_RESP_ERROR},
	{"a request of no kind", 4, 0, 1, VIRTIO_MEM_RESP_ERROR},
	{"the last kind there can be", 0xffff, 0, 1, VIRTIO_MEM_RESP_ERROR},
};

/* Requests of the wrong form. */
static const struct form {
	const char *name;
	struct segment segments[2];
	unsigned n;
} forms[] = {
	{"a request without room for an answer", {{BUFFER, 24, false}}, 1},
	{"an answer without a request", {{ANSWER, 10, true}}, 1},
	{"half a request", {{BUFFER, 12, false}, {ANSWER, 10, true}}, 2},
	{"a request and a half", {{BUFFER, 36, false}, {ANSWER, 10, true}}, 2},
	{"half an answer", {{BUFFER, 24, false}, {ANSWER, 5, true}}, 2},
	{"an answer behind memory", {{BUFFER, 24, false}, {MEMORY_TOP, 10, true}}, 2},
	{"an answer into a device", {{BUFFER, 24, false}, {MMIO, 10, true}}, 2},
	{"an answer to what is not granted",
	 {{BUFFER, 24, false}, {(1ull << 32) + OPEN, 10, true}},
	 2},
	{"an answer across what is granted",
	 {{BUFFER, 24, false}, {(1ull << 32) + OPEN - 5, 10, true}},
	 2},
	{"a request in what is not granted",
	 {{(1ull << 32) + OPEN, 24, false}, {ANSWER, 10, true}},
	 2},
};

static enum outcome seen(bool good)
{
	return good ? OUTCOME_SAFE : OUTCOME_WRONG;
}

/* One block too many, in any order, and one twice. */
static void take_too_much(struct device *dev, uint64_t base)
{
	uint16_t all = OPEN / BLOCK;

	attack_begin(dev, "plug", "a block twice");
	attack_end(dev, OUTCOME_SAFE,
		   seen(ask(dev, VIRTIO_MEM_REQ_PLUG, base, all) == VIRTIO_MEM_RESP_ACK &&
			ask(dev, VIRTIO_MEM_REQ_PLUG, base, 1) == VIRTIO_MEM_RESP_ERROR &&
			CONFIG(dev, plugged_size) == OPEN));
	attack_begin(dev, "unplug", "a block twice");
	attack_end(dev, OUTCOME_SAFE,
		   seen(ask(dev, VIRTIO_MEM_REQ_PLUG, base, all) == VIRTIO_MEM_RESP_ACK &&
			ask(dev, VIRTIO_MEM_REQ_UNPLUG, base, 1) == VIRTIO_MEM_RESP_ACK &&
			ask(dev, VIRTIO_MEM_REQ_UNPLUG, base, 2) == VIRTIO_MEM_RESP_ERROR &&
			CONFIG(dev, plugged_size) == OPEN - BLOCK));
}

/* Memory that was never granted is none: what is written there is gone, and reads are ones. */
static void use_what_is_not_granted(struct device *dev, uint64_t base)
{
	volatile uint32_t *p = (uint32_t *)(base + OPEN);

	attack_begin(dev, "use", "memory that is not granted");
	p[0] = 0x12345678;
	p[OPEN / 4 - 1] = 0x12345678;
	attack_end(dev, OUTCOME_SAFE, seen(p[0] == 0xffffffff && p[OPEN / 4 - 1] == 0xffffffff));
}

/* What was unplugged is fresh, also to who has never plugged it again. */
static void use_what_is_unplugged(struct device *dev, uint64_t base)
{
	volatile uint32_t *p = (uint32_t *)base;
	bool good;

	attack_begin(dev, "use", "memory that was unplugged");
	good = ask(dev, VIRTIO_MEM_REQ_PLUG, base, 2) == VIRTIO_MEM_RESP_ACK;
	p[0] = p[BLOCK / 4] = 0x12345678;
	good &= p[0] == 0x12345678 && p[BLOCK / 4] == 0x12345678;
	good &= ask(dev, VIRTIO_MEM_REQ_UNPLUG, base, 1) == VIRTIO_MEM_RESP_ACK;
	good &= p[0] == 0 && p[BLOCK / 4] == 0x12345678;
	p[0] = 1;
	attack_end(dev, OUTCOME_SAFE, seen(good));
}

/* The rings, and the request that says so, lie in the block that goes. */
static void unplug_rings(struct device *dev, uint64_t base)
{
	struct queue *own = dev->queues;
	struct segment segments[] = {{base + 0x10000, sizeof(struct virtio_mem_req), false},
				     {base + 0x10100, sizeof(struct virtio_mem_resp), true}};

	attack_begin(dev, "unplug", "the rings by which it is told");
	ask(dev, VIRTIO_MEM_REQ_PLUG, base, 1);
	dev->queues = (struct queue *)base;
	device_start(dev);
	*(struct virtio_mem_req *)segments[0].addr = (struct virtio_mem_req){
		.type = VIRTIO_MEM_REQ_UNPLUG, .u.unplug = {.addr = base, .nb_blocks = 1}};
	device_send(dev, 0, segments, 2);
	device_wait(dev, 0, 0);
	device_notify(dev, 0);
	dev->queues = own;
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

/* The owner's request comes while we run. */
static bool is_granted(const struct device *dev)
{
	uint64_t begin = now_ms();

	while (CONFIG(dev, requested_size) != OPEN)
		if (now_ms() - begin > 5000)
			return false;
	return true;
}

void attack_mem(struct device *dev)
{
	uint64_t base = CONFIG(dev, addr);

	attack_begin(dev, "plug", "what its owner grants, to begin with");
	attack_end(dev, OUTCOME_SAFE,
		   seen(is_granted(dev) && base == 1ull << 32 &&
			CONFIG(dev, usable_region_size) == OPEN &&
			CONFIG(dev, region_size) == 2 * OPEN));
	for (unsigned i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		const struct wish *w = &wishes[i];

		attack_begin(dev, "request", w->name);
		attack_end(dev, OUTCOME_SAFE,
			   seen(ask(dev, w->type, base + w->offset, w->n) == w->answer));
	}
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		attack_begin(dev, "form", forms[i].name);
		device_request(dev, forms[i].segments, forms[i].n);
		attack_end(dev, OUTCOME_BROKEN, OUTCOME_SAFE);
	}
	take_too_much(dev, base);
	use_what_is_not_granted(dev, base);
	use_what_is_unplugged(dev, base);
	unplug_rings(dev, base);
}
