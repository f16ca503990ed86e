/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#define WAIT_MS 2000

bool device_reset(struct device *dev)
{
	uint64_t begin = now_ms();

	reg_write(dev, VIRTIO_MMIO_STATUS, 0);
	while (reg_read(dev, VIRTIO_MMIO_STATUS))
		if (now_ms() - begin > WAIT_MS)
			return false;
	return true;
}

static void write64(const struct device *dev, unsigned low, uint64_t v)
{
	reg_write(dev, low, (uint32_t)v);
	reg_write(dev, low + 4, (uint32_t)(v >> 32));
}

void device_set_queue(struct device *dev, unsigned queue, const struct queue *at, uint32_t size)
{
	reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, queue);
	reg_write(dev, VIRTIO_MMIO_QUEUE_NUM, size);
	write64(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint64_t)at->desc);
	write64(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint64_t)&at->avail);
	write64(dev, VIRTIO_MMIO_QUEUE_USED_LOW, (uint64_t)&at->used);
	reg_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
}

uint32_t device_features(struct device *dev)
{
	reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
}

void device_negotiate(struct device *dev)
{
	reg_write(dev, VIRTIO_MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	for (uint32_t half = 0; half < 2; half++) {
		uint32_t offered;

		reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
		offered = reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
		/* Without EVENT_IDX, so that every doorbell counts. */
		if (!half)
			offered &= ~(1u << VIRTIO_RING_F_EVENT_IDX | dev->declined);
		reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, offered);
	}
	reg_write(dev, VIRTIO_MMIO_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
}

bool device_start(struct device *dev)
{
	if (!device_reset(dev))
		return false;
	memset(dev->queues, 0, sizeof(struct queue) * MAX_QUEUES);
	memset((void *)BUFFER, 0, 0x10000);
	device_negotiate(dev);
	if (!(reg_read(dev, VIRTIO_MMIO_STATUS) & STATUS_FEATURES_OK))
		return false;
	for (unsigned i = 0; i < MAX_QUEUES; i++) {
		reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, i);
		if (reg_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX))
			device_set_queue(dev, i, &dev->queues[i], QUEUE_SIZE);
	}
	reg_write(dev, VIRTIO_MMIO_STATUS, STATUS_RUNNING);
	return !device_is_broken(dev);
}

bool device_is_broken(const struct device *dev)
{
	return reg_read(dev, VIRTIO_MMIO_STATUS) & STATUS_NEEDS_RESET;
}

struct queue *device_queue(struct device *dev)
{
	return &dev->queues[dev->attacked];
}

void device_notify(struct device *dev, unsigned queue)
{
	barrier();
	reg_write(dev, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

void device_send(struct device *dev, unsigned queue, const struct segment *segments, unsigned n)
{
	struct queue *q = &dev->queues[queue];

	for (unsigned i = 0; i < n; i++)
		q->desc[i] = (struct vring_desc){
			.addr = segments[i].addr,
			.len = segments[i].len,
			.flags = (segments[i].in ? VRING_DESC_F_WRITE : 0) |
				 (i + 1 < n ? VRING_DESC_F_NEXT : 0),
			.next = (uint16_t)(i + 1),
		};
	q->avail.ring[q->avail.idx % QUEUE_SIZE] = 0;
	barrier();
	q->avail.idx++;
	device_notify(dev, queue);
}

bool device_wait(struct device *dev, unsigned queue, uint16_t seen)
{
	volatile struct queue *q = &dev->queues[queue];
	uint64_t begin = now_ms();

	while (q->used.idx == seen) {
		if (device_is_broken(dev) || now_ms() - begin > WAIT_MS)
			return false;
		__builtin_ia32_pause();
	}
	return true;
}

bool device_request(struct device *dev, const struct segment *segments, unsigned n)
{
	uint16_t seen = device_queue(dev)->used.idx;

	device_send(dev, dev->attacked, segments, n);
	return device_wait(dev, dev->attacked, seen);
}
