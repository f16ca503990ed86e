/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all devices and transports share: the life of a device from DRIVER_OK to reset, and its
 * calls back to the driver.
 */
#include "vmm/virtio.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

void virtio_init(struct virtio_device *dev, const struct virtio_ops *ops, const char *name)
{
	assert(ops->n_queues <= VIRTIO_MAX_QUEUES && ops->queue_size <= VIRTQ_MAX_SIZE);
	*dev = (struct virtio_device){.ops = ops};
	dev->features = ops->features | VIRTIO_COMMON_FEATURES;
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	for (unsigned i = 0; i < ops->n_queues; i++)
		dev->queues[i].max_size = ops->queue_size;
}

void virtio_notify_used(struct virtio_device *dev, unsigned queue)
{
	if (dev->active && virtq_should_notify(&dev->queues[queue]))
		dev->transport->notify_queue(dev, queue);
}

void virtio_notify_both(struct virtio_device *dev, unsigned queue, unsigned other)
{
	bool one, two;

	if (!dev->active)
		return;
	one = virtq_should_notify(&dev->queues[queue]);
	two = virtq_should_notify(&dev->queues[other]);
	if (one)
		dev->transport->notify_queue(dev, queue);
	if (two && !(one && dev->transport->one_interrupt))
		dev->transport->notify_queue(dev, other);
}

void virtio_notify_config(struct virtio_device *dev)
{
	/* No transport: not yet on a bus, nobody has seen the old configuration. */
	if (dev->transport)
		dev->transport->notify_config(dev);
}

void virtio_renew_config(struct virtio_device *dev)
{
	if (dev->transport && dev->transport->renew_config)
		dev->transport->renew_config(dev);
}

void virtio_fail(struct virtio_device *dev, const char *why)
{
	if (dev->failed)
		return;
	dev->failed = true;
	log_limited(&dev->log_limit, LOG_WARN, "%s: %s; the device waits for a reset", dev->name,
		    why);
	dev->transport->needs_reset(dev);
}

/* The queues whose ready flag the transport has set become live. */
static int start_queues(struct virtio_device *dev)
{
	bool event_idx = virtio_has(dev, VIRTIO_RING_F_EVENT_IDX);

	for (unsigned i = 0; i < dev->ops->n_queues; i++) {
		struct virtq *vq = &dev->queues[i];
		int r;

		if (!vq->ready)
			continue;
		vq->ready = false;
		r = virtq_start(vq, dev->mem, event_idx);
		if (r < 0)
			return r;
	}
	return 0;
}

int virtio_activate(struct virtio_device *dev)
{
	int r = start_queues(dev);

	if (!r)
		r = dev->ops->activate(dev);
	if (r < 0) {
		virtio_fail(dev, r == -EFAULT ? "a ring lies outside memory" : "bad queue set-up");
		return r;
	}
	dev->active = true;
	/* What the driver queued before DRIVER_OK came without a doorbell that anyone heard. */
	for (unsigned i = 0; i < dev->ops->n_queues; i++)
		virtio_kick(dev, i);
	return 0;
}

void virtio_reset(struct virtio_device *dev)
{
	if (dev->active)
		dev->ops->reset(dev);
	for (unsigned i = 0; i < dev->ops->n_queues; i++)
		virtq_reset(&dev->queues[i]);
	dev->driver_features = 0;
	dev->active = dev->failed = false;
}

void virtio_kick(struct virtio_device *dev, unsigned queue)
{
	if (queue < dev->ops->n_queues && dev->queues[queue].ready && virtio_serving(dev))
		dev->ops->kick(dev, queue);
}

void virtio_pause(struct virtio_device *dev, bool on)
{
	if (dev->paused == on)
		return;
	dev->paused = on;
	if (dev->active && dev->ops->pause)
		dev->ops->pause(dev, on);
	for (unsigned i = 0; !on && i < dev->ops->n_queues; i++)
		virtio_kick(dev, i);
}

uint64_t virtio_counter(const struct virtio_device *dev, unsigned i)
{
	assert(i < dev->ops->n_counters);
	return *(const uint64_t *)((const char *)dev + dev->ops->counters[i].offset);
}
