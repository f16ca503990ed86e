/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network slot on a stream: the input says, step by step, what the driver puts into which queue and
 * what the other end of the stream sends. The rings are well formed, so that what is inside is reached.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/throttle.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_net_internal.h"

#define RAM_SIZE  (1 << 20)
#define STEP      16 /* bytes of input for each */
#define MAX_STEPS 64

static struct loop *loop;

/* Bytes 0: what; 1: how many segments; 2-9: their lengths; 10-13: directions, 14: the header. */
static void step(struct virtio_device *dev, struct driver_queue *queues, uint64_t area, int peer,
		 const uint8_t *in)
{
	unsigned queue = in[0] % dev->ops->n_queues, n = 1 + in[1] % 4;
	struct driver_segment segs[4];

	if (in[0] & 0x80) {
		uint8_t frame[128];

		memset(frame, in[2], sizeof(frame));
		memcpy(frame, (const uint8_t[]){0, 0, in[3] & 1, in[4]}, 4);
		if (send(peer, frame, 4 + in[5] % 124, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			return;
	} else {
		memcpy(guest_at(queues->guest, area), in, STEP);
		for (unsigned i = 0; i < n; i++) {
			/* Lengths that make sense, one more or less, and any small one. */
			uint32_t lens[] = {12, 11, 13, 1, in[6 + i], in[6 + i] * 300u, 1526, 66000};

			segs[i] = (struct driver_segment){
				.gpa = area + (i ? 16 : 0),
				.len = lens[in[2 + i] % 8],
				.in = (in[10] >> i) & 1,
			};
		}
		driver_add(&queues[queue], segs, n);
		virtio_kick(dev, queue);
	}
	loop_turn(loop, 0);
}

static void drain(int peer)
{
	static uint8_t buf[1 << 16];

	while (recv(peer, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		loop_turn(loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct driver_queue queues[VIRTIO_MAX_QUEUES];
	struct fake_transport transport;
	struct virtio_device *dev;
	struct rate rate = {0};
	struct guest g;
	uint64_t area;
	int pair[2];

	if (!loop) {
		log_open(-1, LOG_ERROR, "fuzz");
		if (loop_create(&loop) < 0)
			abort();
	}
	if (size < 2)
		return 0;
	rate.bytes = data[1] & 4 ? 4096 : 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    virtio_net_create(loop, 0, 1 + data[0] % NET_MAX_PAIRS, &rate, &dev) < 0)
		abort();
	guest_init(&g, RAM_SIZE);
	fake_transport_attach(&transport, dev, &g, loop);
	if (virtio_net_attach_stream(dev, pair[0], 1500, NULL) < 0 ||
	    fake_transport_start(dev, &g, queues,
				 (data[1] & 1 ? 1ull << VIRTIO_NET_F_MRG_RXBUF : 0) |
					 (data[1] & 2 ? 1ull << VIRTIO_NET_F_GUEST_TSO4 |
								1ull << VIRTIO_NET_F_GUEST_TSO6
						      : 0)) < 0)
		abort();
	area = guest_alloc(&g, 128 << 10);
	data += 2;
	size -= 2;
	for (unsigned i = 0; i < MAX_STEPS && size >= STEP; i++, data += STEP, size -= STEP)
		step(dev, queues, area, pair[1], data);
	drain(pair[1]);
	virtio_reset(dev);
	dev->ops->destroy(dev);
	guest_finish(&g);
	close(pair[1]);
	loop_turn(loop, 0);
	return 0;
}
