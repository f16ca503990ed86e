/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the rings of the queue that the guest sends with: virtio 1.2, 2.7. */
#include "attack.h"

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define TABLE    (BUFFER + 0x8000) /* of indirect descriptors */

static const struct chain_attack {
	const char *name;
	enum outcome expected;
	uint16_t head, bump; /* what the available ring says, and by how much its index grows */
	struct vring_desc desc[QUEUE_SIZE];
	struct vring_desc table[4];
} attacks[] = {
	{"a descriptor that is its own next",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 16, NEXT | WRITE, 0}},
	 {{0}}},
	{"two descriptors in a circle",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 16, NEXT | WRITE, 1}, {BUFFER, 16, NEXT | WRITE, 0}},
	 {{0}}},
	{"a circle of empty descriptors",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 0, NEXT, 1}, {BUFFER, 0, NEXT, 0}},
	 {{0}}},
	{"next is one past the table",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 16, NEXT | WRITE, QUEUE_SIZE}},
	 {{0}}},
	{"next is 65535", OUTCOME_BROKEN, 0, 1, {{BUFFER, 16, NEXT | WRITE, 65535}}, {{0}}},
	{"the head is one past the table", OUTCOME_BROKEN, QUEUE_SIZE, 1, {{0}}, {{0}}},
	{"the head is 65535", OUTCOME_BROKEN, 65535, 1, {{0}}, {{0}}},
	{"the index jumps by a queue and one",
	 OUTCOME_BROKEN,
	 0,
	 QUEUE_SIZE + 1,
	 {{BUFFER, 16, WRITE, 0}},
	 {{0}}},
	{"the index jumps by half its range",
	 OUTCOME_BROKEN,
	 0,
	 32768,
	 {{BUFFER, 16, WRITE, 0}},
	 {{0}}},
	{"the index goes back", OUTCOME_BROKEN, 0, 65535, {{BUFFER, 16, WRITE, 0}}, {{0}}},
	{"the same head in the whole ring",
	 OUTCOME_SAFE,
	 0,
	 QUEUE_SIZE,
	 {{BUFFER, 16, WRITE, 0}},
	 {{0}}},
	{"memory that is a device", OUTCOME_BROKEN, 0, 1, {{MMIO, 16, WRITE, 0}}, {{0}}},
	{"memory that is nothing", OUTCOME_BROKEN, 0, 1, {{HOLE, 16, WRITE, 0}}, {{0}}},
	{"memory above all memory", OUTCOME_BROKEN, 0, 1, {{1ull << 33, 16, WRITE, 0}}, {{0}}},
	{"the first byte behind memory", OUTCOME_BROKEN, 0, 1, {{MEMORY_TOP, 1, WRITE, 0}}, {{0}}},
	{"across the end of memory", OUTCOME_BROKEN, 0, 1, {{MEMORY_TOP - 1, 2, WRITE, 0}}, {{0}}},
	{"across the end of memory, to be read",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{MEMORY_TOP - 1, 2, 0, 0}},
	 {{0}}},
	{"an address that wraps", OUTCOME_BROKEN, 0, 1, {{~0ull, 2, WRITE, 0}}, {{0}}},
	{"an address and a length that wrap to a good one",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{~0ull - 0xfffffffe, 0xffffffff, WRITE, 0}},
	 {{0}}},
	{"4 GiB less a byte from the start",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{0, 0xffffffff, WRITE, 0}},
	 {{0}}},
	{"4 GiB less a byte, to be read",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 0xffffffff, 0, 0}},
	 {{0}}},
	{"an empty request", OUTCOME_SAFE, 0, 1, {{BUFFER, 0, 0, 0}}, {{0}}},
	{"empty room for an answer", OUTCOME_SAFE, 0, 1, {{BUFFER, 0, WRITE, 0}}, {{0}}},
	{"what is to be read after what is to be written",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{BUFFER, 16, NEXT | WRITE, 1}, {BUFFER, 16, 0, 0}},
	 {{0}}},
	{"flags that nobody knows", OUTCOME_SAFE, 0, 1, {{BUFFER, 16, WRITE | 0xfff8, 0}}, {{0}}},
	{"an indirect table with a next",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 16, INDIRECT | NEXT, 1}},
	 {{BUFFER, 16, WRITE, 0}}},
	{"an empty indirect table", OUTCOME_BROKEN, 0, 1, {{TABLE, 0, INDIRECT, 0}}, {{0}}},
	{"an indirect table of one byte too many",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 17, INDIRECT, 0}},
	 {{BUFFER, 16, WRITE, 0}}},
	{"an indirect table of almost 4 GiB",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 0xfffffff0, INDIRECT, 0}},
	 {{BUFFER, 16, WRITE, 0}}},
	{"an indirect table that is a device",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{MMIO, 16, INDIRECT, 0}},
	 {{0}}},
	{"an indirect table across the end of memory",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{MEMORY_TOP - 8, 16, INDIRECT, 0}},
	 {{0}}},
	{"an indirect table in an indirect table",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{TABLE, 32, INDIRECT, 0}}},
	{"an indirect circle",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{BUFFER, 16, NEXT | WRITE, 1}, {BUFFER, 16, NEXT | WRITE, 0}}},
	{"an indirect next past its table",
	 OUTCOME_BROKEN,
	 0,
	 1,
	 {{TABLE, 32, INDIRECT, 0}},
	 {{BUFFER, 16, NEXT | WRITE, 2}}},
	{"an indirect table that is this queue's own",
	 OUTCOME_SAFE,
	 0,
	 1,
	 {{0, 32, INDIRECT, 0}},
	 {{0}}},
};

static void run(struct device *dev, const struct chain_attack *a)
{
	struct queue *q = device_queue(dev);
	bool breaks = a->expected == OUTCOME_BROKEN && device_listens(dev);
	uint64_t begin;

	attack_begin(dev, "ring", a->name);
	memcpy(q->desc, a->desc, sizeof(q->desc));
	memcpy((void *)TABLE, a->table, sizeof(a->table));
	/* Address 0 stands for the queue's own table, which no constant can name. */
	if ((q->desc[0].flags & INDIRECT) && !q->desc[0].addr)
		q->desc[0].addr = (uint64_t)q->desc;
	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		q->avail.ring[i] = a->head;
	barrier();
	q->avail.idx += a->bump;
	device_notify(dev, dev->attacked);
	begin = now_ms();
	/* What has to happen may take its time; what need not gets a moment. */
	while (!device_is_broken(dev) && now_ms() - begin < (breaks ? 2000u : 5u))
		__builtin_ia32_pause();
	attack_end(dev, breaks ? OUTCOME_BROKEN : OUTCOME_SAFE, OUTCOME_SAFE);
}

/* The device's answer goes where its rings are. */
static void overwrite(struct device *dev, const char *name, const void *what, uint32_t size)
{
	struct queue *q = device_queue(dev);

	attack_begin(dev, "ring", name);
	q->desc[0] = (struct vring_desc){(uint64_t)what, size, WRITE, 0};
	barrier();
	q->avail.idx++;
	device_notify(dev, dev->attacked);
	for (uint64_t begin = now_ms(); now_ms() - begin < 5;)
		__builtin_ia32_pause();
	attack_end(dev, OUTCOME_SAFE, OUTCOME_SAFE);
}

void attack_rings(struct device *dev)
{
	struct queue *q = device_queue(dev);

	for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		run(dev, &attacks[i]);
	overwrite(dev, "an answer into the descriptors", q->desc, sizeof(q->desc));
	overwrite(dev, "an answer into the available ring", &q->avail, sizeof(q->avail));
	overwrite(dev, "an answer into the used ring", &q->used, sizeof(q->used));
	overwrite(dev, "an answer into all of the queue", q, sizeof(*q));
}
