/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The balloon's requests: the input is a list of them, each with a queue, segments and what they hold;
 * the driver's side of the rings is well formed, so that what is inside is reached.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "common/log.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/virtio_balloon.h"

#define RAM_SIZE     (64 << 10)
#define REQUEST      32 /* bytes of input for each */
#define MAX_REQUESTS 32

static struct loop *loop;

/* Byte 0: the queue and the number of segments; then for each a place, a length and a direction. */
static void add_request(struct driver_queue *queues, uint64_t area, const uint8_t *in)
{
	struct driver_queue *q = &queues[in[0] % 3];
	struct driver_segment segs[4];
	unsigned n = 1 + (in[0] >> 4) % 4;

	memcpy(guest_at(q->guest, area), in, REQUEST);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *p = in + 4 + 4 * i;

		segs[i] = (struct driver_segment){
			.gpa = p[0] & 1 ? area : GUEST_BASE + p[1] * 256u,
			.len = p[2] & 1 ? p[3] * 4u : p[3] * 64u,
			.in = p[2] & 2,
		};
	}
	driver_add(q, segs, n);
}

static void run(struct virtio_device *dev, struct guest *g, const uint8_t *data, size_t size)
{
	struct driver_queue q[3];
	uint64_t area;

	if (fake_transport_start(dev, g, q, 0) < 0)
		abort();
	area = guest_alloc(g, 4 << 10);
	for (unsigned i = 0; i < MAX_REQUESTS && size >= REQUEST; i++) {
		add_request(q, area + (i % 8) * 512, data);
		data += REQUEST;
		size -= REQUEST;
		for (unsigned k = 0; i % 4 == 3 && k < 3; k++)
			virtio_kick(dev, k);
	}
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned k = 0; k < 3; k++)
			virtio_kick(dev, k);
		loop_turn(loop, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_transport transport;
	struct virtio_device *dev;
	struct guest g;
	uint8_t *heap;

	if (!loop) {
		log_open(-1, LOG_ERROR, "fuzz");
		if (loop_create(&loop) < 0)
			abort();
	}
	if (virtio_balloon_create(&dev) < 0)
		abort();
	/* Page aligned, as it is given back by pages, and with nothing of ours beside it. */
	guest_init(&g, RAM_SIZE);
	heap = g.ram;
	g.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.ram == MAP_FAILED)
		abort();
	g.mem.regions[0].host = g.ram;
	fake_transport_attach(&transport, dev, &g, loop);
	run(dev, &g, data, size);
	virtio_reset(dev);
	dev->ops->destroy(dev);
	munmap(g.ram, RAM_SIZE);
	free(heap);
	return 0;
}
