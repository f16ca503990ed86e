/* SPDX-License-Identifier: Apache-2.0 */
/* A good request for each kind of device, by which an attack's survivor is known. */
#include <linux/virtio_blk.h>
#include <linux/virtio_vsock.h>

#include "attack.h"

#define NOBODY 9 /* a port of the host where nobody listens */

static bool rng_serves(struct device *dev)
{
	struct segment segment = {BUFFER, 64, true};

	return device_request(dev, &segment, 1) && device_queue(dev)->used.ring[0].len > 0;
}

/* A slot without a disk has this many sectors, and nothing to read in them. */
#define PARKED 8

static bool blk_serves(struct device *dev)
{
	struct segment segments[] = {
		{BUFFER, 16, false}, {BUFFER + 512, 512, true}, {BUFFER + 16, 1, true}};

	*(struct virtio_blk_outhdr *)BUFFER = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN};
	*(uint8_t *)(BUFFER + 16) = 0xff;
	return device_request(dev, segments, 3) &&
	       *(volatile uint8_t *)(BUFFER + 16) == (reg_read(dev, VIRTIO_MMIO_CONFIG) == PARKED
							      ? VIRTIO_BLK_S_IOERR
							      : VIRTIO_BLK_S_OK);
}

/* Asks for a connection that is refused: the answer comes by the other queue. */
static bool vsock_serves(struct device *dev)
{
	struct segment request = {BUFFER, 44, false}, room = {BUFFER + 4096, 4096, true};
	volatile struct virtio_vsock_hdr *answer = (struct virtio_vsock_hdr *)(BUFFER + 4096);

	*(struct virtio_vsock_hdr *)BUFFER = (struct virtio_vsock_hdr){
		.src_cid = 3,
		.dst_cid = 2,
		.src_port = 4242,
		.dst_port = NOBODY,
		.type = 1,
		.op = VIRTIO_VSOCK_OP_REQUEST,
		.buf_alloc = 65536,
	};
	device_send(dev, 0, &room, 1);
	device_send(dev, 1, &request, 1);
	return device_wait(dev, 0, 0) && answer->op == VIRTIO_VSOCK_OP_RST &&
	       answer->dst_port == 4242;
}

/* A frame that somebody takes; nobody answers. */
static bool net_serves(struct device *dev)
{
	struct segment frame = {BUFFER, 12 + 60, false};

	return device_request(dev, &frame, 1);
}

/* A page taken back that was never given up. */
static bool balloon_serves(struct device *dev)
{
	struct segment list = {BUFFER, 4, false};

	*(uint32_t *)BUFFER = (uint32_t)(BUFFER >> 12) + 1;
	return device_request(dev, &list, 1);
}

bool device_serves(struct device *dev)
{
	switch (dev->id) {
	case ID_RNG:
		return rng_serves(dev);
	case ID_BLK:
		return blk_serves(dev);
	case ID_VSOCK:
		return vsock_serves(dev);
	case ID_FS:
		return fs_serves(dev);
	case ID_NET:
		return net_serves(dev);
	case ID_BALLOON:
		return balloon_serves(dev);
	case ID_MEM:
		return mem_serves(dev);
	default:
		return false;
	}
}
