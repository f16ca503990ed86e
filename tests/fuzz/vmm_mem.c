/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-mem's requests, with an owner's in between: the input is a list of them; the driver's side of the
 * rings is well formed, so that what is inside is reached. What must hold whatever comes: never more
 * plugged than there is, and never a byte outside of what was opened.
 */
#include <linux/virtio_mem.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/log.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/virtio_mem.h"

#define RAM_SIZE     (64 << 10)
#define BASE         0x100000000ull
#define SIZE         (32ull << 20)
#define GRANULE      (4ull << 20)
#define REQUEST      8 /* bytes of input for each */
#define MAX_REQUESTS 64

static struct loop *loop;

static int open_region(void *data, uint64_t size)
{
	struct memory_region *region = data;

	if (size < region->size || mprotect(region->host, size, PROT_READ | PROT_WRITE) < 0)
		abort();
	region->size = size;
	return 0;
}

/* Byte 0: which; 1 and 2: a block, a number of them; 3: how odd it is; 4 to 7: lengths and places. */
static void add_request(struct driver_queue *q, uint64_t area, const uint8_t *in)
{
	const struct virtio_mem_req req = {
		.type = in[0] & 7,
		.u.plug = {.addr = in[3] & 1 ? BASE - (uint64_t)in[1] * in[3]
					     : BASE + in[1] % 20 * VIRTIO_MEM_BLOCK,
			   .nb_blocks = in[3] & 2 ? (uint16_t)(in[2] * 257u) : in[2] % 20}};
	/* Its requests may lie in the memory that they are about. */
	uint64_t at = in[4] & 1 ? BASE + in[5] * 65536u : area;
	uint8_t *p = memory_at(&q->guest->mem, at, sizeof(req));
	struct driver_segment segs[2] = {{at, in[4] & 2 ? in[6] : sizeof(req), in[4] & 4},
					 {at + 32, in[4] & 8 ? in[7] : 10, !(in[4] & 16)}};

	if (p)
		memcpy(p, &req, sizeof(req));
	driver_add(q, segs, in[4] & 32 ? 1 : 2);
}

static void check(struct virtio_device *dev)
{
	struct virtio_mem_config config;

	dev->ops->config_read(dev, 0, &config, sizeof(config));
	if (config.plugged_size > config.usable_region_size || config.usable_region_size > SIZE ||
	    config.requested_size > config.usable_region_size)
		abort();
}

static void run(struct virtio_device *dev, struct guest *g, const uint8_t *data, size_t size)
{
	struct driver_queue q[1];
	uint64_t area;

	if (fake_transport_start(dev, g, q, 0) < 0)
		abort();
	area = guest_alloc(g, 4 << 10);
	for (unsigned i = 0; i < MAX_REQUESTS && size >= REQUEST; i++) {
		if (data[0] & 8)
			virtio_mem_request(dev, data[1] % 10 * GRANULE + (data[2] & 1));
		else
			add_request(&q[0], area + i * 64, data);
		data += REQUEST;
		size -= REQUEST;
		virtio_kick(dev, 0);
		loop_turn(loop, 0);
		check(dev);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_mem_space space = {
		.gpa = BASE, .size = SIZE, .granule = GRANULE, .open = open_region};
	struct fake_transport transport;
	struct virtio_device *dev;
	struct guest g;
	uint8_t *p;

	if (!loop) {
		log_open(-1, LOG_ERROR, "fuzz");
		if (loop_create(&loop) < 0)
			abort();
	}
	guest_init(&g, RAM_SIZE);
	/* What is not open, and what lies behind, faults. */
	p = mmap(NULL, SIZE + VIRTIO_MEM_BLOCK, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		abort();
	g.mem.regions[g.mem.n_regions++] =
		(struct memory_region){.gpa = BASE, .host = p, .reserved = SIZE};
	space.data = &g.mem.regions[1];
	if (virtio_mem_create(&space, &dev) < 0)
		abort();
	fake_transport_attach(&transport, dev, &g, loop);
	run(dev, &g, data, size);
	virtio_reset(dev);
	dev->ops->destroy(dev);
	munmap(p, SIZE + VIRTIO_MEM_BLOCK);
	guest_finish(&g);
	return 0;
}
