/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest for tests: memory of its own, and the driver's side of split rings in it. Written from the
 * specification, apart from the device's side, and able to break every rule on purpose: the rings
 * are plain structures that a test may scribble on.
 */
#ifndef TESTS_GUEST_DRIVER_H
#define TESTS_GUEST_DRIVER_H

#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio.h"

#define GUEST_BASE 0x100000ull /* guest memory does not begin at 0, so that a raw 0 is outside */

struct guest {
	struct memory mem;
	uint8_t *ram;
	uint64_t size, used;
};

static inline void guest_init(struct guest *g, uint64_t size)
{
	*g = (struct guest){.ram = calloc(1, size), .size = size};
	g->mem.n_regions = 1;
	g->mem.regions[0] = (struct memory_region){.gpa = GUEST_BASE, .size = size, .host = g->ram};
}

static inline void guest_finish(struct guest *g)
{
	free(g->ram);
}

/* Guest-physical; page-aligned. */
static inline uint64_t guest_alloc(struct guest *g, uint64_t size)
{
	uint64_t at = g->used;

	g->used += (size + 4095) & ~4095ull;
	if (g->used > g->size)
		abort();
	return GUEST_BASE + at;
}

static inline void *guest_at(struct guest *g, uint64_t gpa)
{
	return g->ram + (gpa - GUEST_BASE);
}

struct driver_queue {
	struct guest *guest;
	struct virtq *vq;
	uint16_t size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc, avail_idx, last_used;
};

/* Allocates the rings and tells vq of them, as a transport would; not yet started. */
static inline void driver_queue_init(struct driver_queue *q, struct guest *g, struct virtq *vq,
				     uint16_t size)
{
	*q = (struct driver_queue){.guest = g, .vq = vq, .size = size};
	vq->size = size;
	vq->desc_gpa = guest_alloc(g, 16u * size);
	vq->avail_gpa = guest_alloc(g, 6 + 2u * size);
	vq->used_gpa = guest_alloc(g, 6 + 8u * size);
	q->desc = guest_at(g, vq->desc_gpa);
	q->avail = guest_at(g, vq->avail_gpa);
	q->used = guest_at(g, vq->used_gpa);
}

struct driver_segment {
	uint64_t gpa;
	uint32_t len;
	bool in; /* writable by the device */
};

/* Writes a chain into the table; does not make it available. Returns its head. */
static inline uint16_t driver_chain(struct driver_queue *q, const struct driver_segment *segs,
				    unsigned n)
{
	uint16_t head = q->next_desc;

	for (unsigned i = 0; i < n; i++) {
		uint16_t at = q->next_desc;

		q->next_desc = (uint16_t)((at + 1) % q->size);
		q->desc[at] = (struct vring_desc){
			.addr = segs[i].gpa,
			.len = segs[i].len,
			.flags = (uint16_t)((segs[i].in ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < n ? VRING_DESC_F_NEXT : 0)),
			.next = q->next_desc,
		};
	}
	return head;
}

static inline void driver_offer(struct driver_queue *q, uint16_t head)
{
	q->avail->ring[q->avail_idx % q->size] = head;
	q->avail_idx++;
	__atomic_store_n(&q->avail->idx, q->avail_idx, __ATOMIC_RELEASE);
}

static inline uint16_t driver_add(struct driver_queue *q, const struct driver_segment *segs,
				  unsigned n)
{
	uint16_t head = driver_chain(q, segs, n);

	driver_offer(q, head);
	return head;
}

static inline uint16_t driver_used_count(const struct driver_queue *q)
{
	return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->last_used);
}

/* False: the device has returned nothing. */
static inline bool driver_get(struct driver_queue *q, uint32_t *ret_head, uint32_t *ret_len)
{
	const struct vring_used_elem *elem = &q->used->ring[q->last_used % q->size];

	if (!driver_used_count(q))
		return false;
	q->last_used++;
	*ret_head = elem->id;
	*ret_len = elem->len;
	return true;
}

/* --- a hostile driver ---------------------------------------------------------------------- */

static inline uint64_t driver_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* One field: mostly what is plausible, so that walks get deep; now and then anything. */
static inline void driver_scribble_desc(const struct driver_queue *q, struct vring_desc *desc,
					uint64_t *state, uint64_t tables)
{
	uint64_t r = driver_random(state);
	volatile struct vring_desc *d = desc;

	switch (r % 6) {
	case 0:
		d->addr = (r & 8) ? r : GUEST_BASE + (r >> 8) % (2 * q->guest->size);
		break;
	case 1:
		d->addr = tables + (r >> 8) % 8192;
		break;
	case 2:
		d->len = (r & 8) ? (uint32_t)(r >> 8) : (uint32_t)(r >> 8) % 2048 & ~15u;
		break;
	case 3:
		d->flags = (uint16_t)(r >> 8) & ((r & 16) ? 7 : 1);
		break;
	case 4:
		d->next = (uint16_t)((r >> 8) % ((r & 16) ? q->size + 2u : q->size));
		break;
	default:
		d->flags = (uint16_t)(VRING_DESC_F_NEXT | (r & 16 ? VRING_DESC_F_WRITE : 0));
	}
}

/* A descriptor, an available entry and the index: to be called from a thread of its own. */
static inline void driver_scribble(struct driver_queue *q, uint64_t *state, uint64_t tables)
{
	uint64_t r = driver_random(state);

	driver_scribble_desc(q, &q->desc[r % q->size], state, tables);
	*(volatile uint16_t *)&q->avail->ring[(r >> 32) % q->size] =
		(uint16_t)((r >> 40) % (q->size + 1u));
	/* Not from vq: that would be a race of the test's own making. */
	*(volatile uint16_t *)&q->avail->idx =
		(uint16_t)(*(volatile uint16_t *)&q->used->idx + (r >> 50) % (q->size + 2u));
}

/* --- a transport that counts what the device tells it --------------------------------------- */

struct fake_transport {
	unsigned used[VIRTIO_MAX_QUEUES], config, resets;
};

static inline void fake_notify_queue(struct virtio_device *dev, unsigned queue)
{
	((struct fake_transport *)dev->transport_data)->used[queue]++;
}

static inline void fake_notify_config(struct virtio_device *dev)
{
	((struct fake_transport *)dev->transport_data)->config++;
}

static inline void fake_needs_reset(struct virtio_device *dev)
{
	((struct fake_transport *)dev->transport_data)->resets++;
}

static inline void fake_transport_attach(struct fake_transport *t, struct virtio_device *dev,
					 struct guest *g, struct loop *loop)
{
	static const struct virtio_transport_ops ops = {
		.notify_queue = fake_notify_queue,
		.notify_config = fake_notify_config,
		.needs_reset = fake_needs_reset,
	};

	*t = (struct fake_transport){0};
	dev->transport = &ops;
	dev->transport_data = t;
	dev->loop = loop;
	dev->mem = &g->mem;
}

/* DRIVER_OK with every feature that is offered, less without, and all queues set up. */
static inline int fake_transport_start(struct virtio_device *dev, struct guest *g,
				       struct driver_queue *queues, uint64_t without)
{
	dev->driver_features = dev->features & ~without;
	for (unsigned i = 0; i < dev->ops->n_queues; i++) {
		driver_queue_init(&queues[i], g, &dev->queues[i], dev->ops->queue_size);
		dev->queues[i].ready = true;
	}
	return virtio_activate(dev);
}

#endif
