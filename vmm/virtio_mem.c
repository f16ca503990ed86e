/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a region of guest-physical addresses behind all other memory, and three sizes.
 *
 *	open        its first bytes, backed and in KVM's map; grows with what the owner requests, never shrinks
 *	requested   by the owner: no more may be plugged
 *	plugged     the blocks that the driver has taken, a bit each; all of them lie in the open part
 *
 * A guest is able to use all that is open, plugged or not: who keeps to no protocol gets no more than its
 * owner has granted at some time. So nothing depends on a block's state but the answers that its own driver
 * gets, and a device request for memory that is open but not plugged is the guest's affair. What is not open
 * is no memory, to the guest as to the devices.
 *
 * To unplug is MADV_DONTNEED: the host has the pages back, and finds zeros there next time. A reset of the
 * device leaves the blocks as they are, as the memory may be in use by a kernel that only lost its driver.
 *
 * A request is copied and judged as a whole before anything is done: a range of at most 65,535 blocks. A
 * turn serves a few and leaves the rest to the next one.
 */
#include "vmm/virtio_mem.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "vmm/virtio.h"

#define SMALL_GRANULE     (128ull << 20)
#define LARGE_GRANULE     (2ull << 30)
#define LARGE_MACHINE     (64ull << 30) /* from here on Linux's blocks of memory are larger */
#define REQUESTS_PER_TURN 4
#define QUEUE_SIZE        16

static_assert(sizeof(struct virtio_mem_req) == 24, "virtio 1.2, 5.15.6");
static_assert(sizeof(struct virtio_mem_resp) == 10, "virtio 1.2, 5.15.6");
static_assert(sizeof(struct virtio_mem_config) == 56, "virtio 1.2, 5.15.4");

struct mem {
	struct virtio_device dev;
	struct virtio_mem_space space;
	struct source *again;
	uint64_t open, requested, plugged; /* bytes */
	uint64_t requests;
	struct virtq_chain chain;
	uint8_t blocks[]; /* a bit each */
};

/* Blocks, from the region's begin. */
struct range {
	uint64_t first, n;
};

uint64_t virtio_mem_granule(uint64_t boot_end)
{
	return boot_end < LARGE_MACHINE ? SMALL_GRANULE : LARGE_GRANULE;
}

static bool is_plugged(const struct mem *mem, uint64_t block)
{
	return mem->blocks[block / 8] & 1u << block % 8;
}

static uint64_t count_plugged(const struct mem *mem, const struct range *range)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < range->n; i++)
		n += is_plugged(mem, range->first + i);
	return n;
}

static void mark(struct mem *mem, const struct range *range, bool plugged)
{
	for (uint64_t i = range->first; i < range->first + range->n; i++) {
		if (plugged)
			mem->blocks[i / 8] |= 1u << i % 8;
		else
			mem->blocks[i / 8] &= ~(1u << i % 8);
	}
}

/* False: not of whole blocks, or not of the open part. */
static bool read_range(const struct mem *mem, uint64_t addr, uint16_t n, struct range *ret)
{
	uint64_t offset = addr - mem->space.gpa; /* wraps below the region: larger than any size */

	if (!n || offset % VIRTIO_MEM_BLOCK || offset >= mem->open ||
	    n > (mem->open - offset) / VIRTIO_MEM_BLOCK)
		return false;
	*ret = (struct range){.first = offset / VIRTIO_MEM_BLOCK, .n = n};
	return true;
}

static int discard(const struct mem *mem, const struct range *range)
{
	uint64_t size = range->n * VIRTIO_MEM_BLOCK;
	uint8_t *p =
		memory_at(mem->dev.mem, mem->space.gpa + range->first * VIRTIO_MEM_BLOCK, size);

	return p && madvise(p, size, MADV_DONTNEED) == 0 ? 0 : -EBUSY;
}

static uint16_t plug(struct mem *mem, const struct range *range)
{
	uint64_t size = range->n * VIRTIO_MEM_BLOCK;

	if (count_plugged(mem, range))
		return VIRTIO_MEM_RESP_ERROR;
	if (mem->plugged > mem->requested || size > mem->requested - mem->plugged)
		return VIRTIO_MEM_RESP_NACK;
	mark(mem, range, true);
	mem->plugged += size;
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t unplug(struct mem *mem, const struct range *range)
{
	if (count_plugged(mem, range) != range->n)
		return VIRTIO_MEM_RESP_ERROR;
	if (discard(mem, range) < 0)
		return VIRTIO_MEM_RESP_BUSY;
	mark(mem, range, false);
	mem->plugged -= range->n * VIRTIO_MEM_BLOCK;
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t unplug_all(struct mem *mem)
{
	const struct range all = {.n = mem->open / VIRTIO_MEM_BLOCK};

	if (all.n && discard(mem, &all) < 0)
		return VIRTIO_MEM_RESP_BUSY;
	mark(mem, &all, false);
	mem->plugged = 0;
	return VIRTIO_MEM_RESP_ACK;
}

static uint16_t tell_state(const struct mem *mem, const struct range *range, uint16_t *ret)
{
	uint64_t n = count_plugged(mem, range);

	*ret = n == range->n ? VIRTIO_MEM_STATE_PLUGGED
	       : n           ? VIRTIO_MEM_STATE_MIXED
			     : VIRTIO_MEM_STATE_UNPLUGGED;
	return VIRTIO_MEM_RESP_ACK;
}

/* The three that name blocks do so in the same place. */
static uint16_t answer(struct mem *mem, const struct virtio_mem_req *req, uint16_t *ret_state)
{
	uint16_t type = le16toh(req->type);
	struct range range;

	if (type == VIRTIO_MEM_REQ_UNPLUG_ALL)
		return unplug_all(mem);
	if (!read_range(mem, le64toh(req->u.plug.addr), le16toh(req->u.plug.nb_blocks), &range))
		return VIRTIO_MEM_RESP_ERROR;
	switch (type) {
	case VIRTIO_MEM_REQ_PLUG:
		return plug(mem, &range);
	case VIRTIO_MEM_REQ_UNPLUG:
		return unplug(mem, &range);
	case VIRTIO_MEM_REQ_STATE:
		return tell_state(mem, &range, ret_state);
	default:
		return VIRTIO_MEM_RESP_ERROR;
	}
}

/* -EINVAL: not a request with room for its answer. */
static int serve(struct mem *mem)
{
	const struct virtq_chain *chain = &mem->chain;
	struct virtio_mem_resp resp = {0};
	uint64_t before = mem->plugged;
	struct virtio_mem_req req;
	uint16_t state = 0;

	if (chain->out_len != sizeof(req) || chain->in_len < sizeof(resp))
		return -EINVAL;
	chain_read(chain, 0, &req, sizeof(req));
	mem->requests++;
	resp.type = htole16(answer(mem, &req, &state));
	resp.u.state.state = htole16(state);
	/* A driver that has its answer finds plugged_size to agree with it. */
	if (mem->plugged != before)
		virtio_renew_config(&mem->dev);
	chain_write(chain, 0, &resp, sizeof(resp));
	return 0;
}

static void mem_kick(struct virtio_device *dev, unsigned queue)
{
	struct mem *mem = container_of(dev, struct mem, dev);
	struct virtq *vq = &dev->queues[queue];
	unsigned left = REQUESTS_PER_TURN;
	int r = 0;

	virtq_disable_notify(vq);
	do {
		while (left && (r = virtq_pop(vq, &mem->chain)) > 0) {
			r = serve(mem);
			if (r < 0)
				break;
			virtq_push(vq, mem->chain.head, sizeof(struct virtio_mem_resp));
			left--;
		}
		if (r < 0) {
			virtio_fail(dev, "broken request");
			return;
		}
		if (!left) {
			source_defer(mem->again);
			break;
		}
	} while (virtq_enable_notify(vq));
	virtio_notify_used(dev, queue);
}

static void on_again(struct source *source, uint32_t events, void *data)
{
	virtio_kick(data, 0);
}

uint64_t virtio_mem_round(const struct virtio_device *dev, uint64_t size)
{
	const struct virtio_mem_space *space = &container_of(dev, struct mem, dev)->space;

	if (size > space->size)
		return space->size;
	return (size + space->granule - 1) / space->granule * space->granule;
}

int virtio_mem_request(struct virtio_device *dev, uint64_t size)
{
	struct mem *mem = container_of(dev, struct mem, dev);
	int r;

	if (size > mem->space.size || size % mem->space.granule)
		return -EINVAL;
	if (size > mem->open) {
		r = mem->space.open(mem->space.data, size);
		if (r < 0)
			return r;
		mem->open = size;
	}
	mem->requested = size;
	virtio_notify_config(dev);
	return 0;
}

static void mem_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	const struct mem *mem = container_of(dev, struct mem, dev);
	const struct virtio_mem_config config = {
		.block_size = htole64(VIRTIO_MEM_BLOCK),
		.addr = htole64(mem->space.gpa),
		.region_size = htole64(mem->space.size),
		.usable_region_size = htole64(mem->open),
		.plugged_size = htole64(mem->plugged),
		.requested_size = htole64(mem->requested),
	};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static int mem_activate(struct virtio_device *dev)
{
	struct mem *mem = container_of(dev, struct mem, dev);

	return loop_add_defer(dev->loop, on_again, dev, &mem->again);
}

static void mem_reset(struct virtio_device *dev)
{
	struct mem *mem = container_of(dev, struct mem, dev);

	source_remove(mem->again);
	mem->again = NULL;
}

static void mem_destroy(struct virtio_device *dev)
{
	free(container_of(dev, struct mem, dev));
}

#define COUNTER(name, member)                                                                      \
	{                                                                                          \
		name, offsetof(struct mem, member) - offsetof(struct mem, dev)                     \
	}
static const struct virtio_counter counters[] = {
	COUNTER("plugged_bytes", plugged),
	COUNTER("requested_bytes", requested),
	COUNTER("requests", requests),
};

static const struct virtio_ops mem_ops = {
	.name = "mem",
	.id = VIRTIO_ID_MEM,
	/* A driver then keeps off what it has not plugged, whose pages would be the host's. */
	.features = 1ull << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE,
	.n_queues = 1,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_mem_config),
	.config_read = mem_config_read,
	.activate = mem_activate,
	.reset = mem_reset,
	.kick = mem_kick,
	.destroy = mem_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_mem_create(const struct virtio_mem_space *space, struct virtio_device **ret)
{
	struct mem *mem = calloc(1, sizeof(*mem) + (space->size / VIRTIO_MEM_BLOCK + 7) / 8);

	if (!mem)
		return -ENOMEM;
	virtio_init(&mem->dev, &mem_ops, "mem");
	mem->space = *space;
	*ret = &mem->dev;
	return 0;
}
