/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disk requests: the input is a list of them, each a header with segment lengths; the driver's side
 * of the ring is well formed, so that what is inside is reached.
 */
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/blk_io.h"
#include "vmm/throttle.h"
#include "vmm/virtio_blk.h"

#define RAM_SIZE     (64 << 10)
#define DISK_SIZE    (32 << 10)
#define REQUEST      32 /* bytes of input for each */
#define MAX_REQUESTS 32

static struct loop *loop;
static struct blk_io *io;

/* Bytes 0-15: the header; 16-31: the first data segment's begin; 32 lengths and directions. */
static void add_request(struct driver_queue *q, uint64_t gpa, const uint8_t *in)
{
	struct driver_segment segs[4];
	unsigned n = 1 + in[28] % 4;

	memcpy(guest_at(q->guest, gpa), in, REQUEST);
	for (unsigned i = 0; i < n; i++) {
		/* Lengths that make sense, one more or less, and any small one. */
		uint32_t lens[] = {16, 512, 1024, 1, in[16 + i], in[16 + i] * 16u, 4096, 17};

		segs[i] = (struct driver_segment){
			.gpa = gpa + (i ? 16 : 0),
			.len = lens[in[20 + i] % 8],
			.in = in[24 + i] & 1,
		};
	}
	driver_add(q, segs, n);
}

static void run(struct virtio_device *dev, struct guest *g, const uint8_t *data, size_t size)
{
	struct driver_queue q;
	uint64_t area;

	if (fake_transport_start(dev, g, &q, 0) < 0)
		abort();
	area = guest_alloc(g, 12 << 10);
	for (unsigned i = 0; i < MAX_REQUESTS && size >= REQUEST; i++) {
		add_request(&q, area + (i % 8) * 1024, data);
		data += REQUEST;
		size -= REQUEST;
	}
	virtio_kick(dev, 0);
	for (unsigned i = 0; i < 4; i++) {
		blk_io_drain(io, dev);
		loop_turn(loop, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_transport transport;
	struct virtio_device *dev;
	struct rate rate;
	struct guest g;
	int disk;

	if (!loop) {
		log_open(-1, LOG_ERROR, "fuzz");
		if (loop_create(&loop) < 0 || blk_io_create(loop, &io) < 0 || blk_io_start(io) < 0)
			abort();
	}
	if (!size)
		return 0;
	rate = (struct rate){data[0] & 2 ? 4096 : 0, data[0] & 4 ? 3 : 0};
	disk = memfd_create("disk", MFD_CLOEXEC);
	if (ftruncate(disk, DISK_SIZE) < 0 || virtio_blk_create(0, io, &rate, &dev) < 0 ||
	    virtio_blk_attach(dev, dup(disk), data[0] & 1, NULL) < 0)
		abort();
	guest_init(&g, RAM_SIZE);
	fake_transport_attach(&transport, dev, &g, loop);
	run(dev, &g, data + 1, size - 1);
	if (lseek(disk, 0, SEEK_END) != DISK_SIZE)
		abort(); /* no request makes it grow */
	virtio_reset(dev);
	dev->ops->destroy(dev);
	guest_finish(&g);
	close(disk);
	return 0;
}
