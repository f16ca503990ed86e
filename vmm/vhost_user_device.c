/* SPDX-License-Identifier: Apache-2.0 */
/* The device of a vhost-user session: its memory, and when it runs. See vhost_user.c. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "vmm/vhost_user_internal.h"

/* --- the device's way back ----------------------------------------------------------------- */

static void ring(int fd)
{
	uint64_t one = 1;

	/* Full is as good as rung; a descriptor that takes no eight bytes is the front end's loss. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

static void notify_queue(struct virtio_device *dev, unsigned queue)
{
	struct vhost_user *vu = dev->transport_data;

	ring(vu->queues[queue].call_fd);
}

static void notify_config(struct virtio_device *dev)
{
	/* The front end asks for it whenever its driver does. */
}

static void needs_reset(struct virtio_device *dev)
{
	struct vhost_user *vu = dev->transport_data;

	for (unsigned i = 0; i < vu->n_queues; i++)
		ring(vu->queues[i].err_fd);
}

const struct virtio_transport_ops vhost_user_transport_ops = {
	.notify_queue = notify_queue,
	.notify_config = notify_config,
	.needs_reset = needs_reset,
};

/* --- running and holding ------------------------------------------------------------------- */

/* Front-end address to guest-physical; the queue's own check then sees whether all of it is inside. */
static bool translate(const struct vhost_user *vu, uint64_t addr, uint64_t *ret)
{
	for (unsigned i = 0; i < vu->mem.n_regions; i++) {
		uint64_t offset = addr - vu->regions[i].front_addr;

		if (offset < vu->mem.regions[i].size) {
			*ret = vu->mem.regions[i].gpa + offset;
			return true;
		}
	}
	return false;
}

void vhost_user_hold(struct vhost_user *vu)
{
	if (!vu->dev->active || vu->held)
		return;
	vu->held = true;
	virtio_pause(vu->dev, true);
	if (vu->dev->ops->drain)
		vu->dev->ops->drain(vu->dev);
	for (unsigned i = 0; i < vu->n_queues; i++) {
		vu->dev->queues[i].ready = false;
		vu->queues[i].base = vu->dev->queues[i].next_avail;
	}
}

static bool complete(const struct vhost_user *vu)
{
	if (!vu->mem.n_regions)
		return false;
	for (unsigned i = 0; i < vu->n_queues; i++) {
		const struct queue *q = &vu->queues[i];

		if (!q->has_addr || q->kick_fd < 0 || !q->enabled)
			return false;
	}
	return true;
}

static bool continues(const struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu->n_queues; i++)
		if (vu->dev->queues[i].next_avail != vu->queues[i].base)
			return false;
	return vu->held && !vu->dev->failed;
}

/* Tells the device's queue where it is. next_used: all that was popped has been pushed. */
static int place_queue(struct vhost_user *vu, unsigned i)
{
	struct queue *q = &vu->queues[i];
	struct virtq *vq = &vu->dev->queues[i];

	if (!translate(vu, q->desc, &vq->desc_gpa) || !translate(vu, q->avail, &vq->avail_gpa) ||
	    !translate(vu, q->used, &vq->used_gpa))
		return -EFAULT;
	vq->size = (uint16_t)(q->num > UINT16_MAX ? UINT16_MAX : q->num);
	vq->next_avail = vq->next_used = q->base;
	return 0;
}

static int go_on(struct vhost_user *vu)
{
	bool event_idx = virtio_has(vu->dev, VIRTIO_RING_F_EVENT_IDX);

	for (unsigned i = 0; i < vu->n_queues; i++) {
		int r = place_queue(vu, i);

		if (!r)
			r = virtq_start(&vu->dev->queues[i], &vu->mem, event_idx);
		if (r < 0)
			return r;
	}
	vu->held = false;
	virtio_pause(vu->dev, false);
	/* What was returned before the hold may not have been told. */
	for (unsigned i = 0; i < vu->n_queues; i++)
		ring(vu->queues[i].call_fd);
	return 0;
}

void vhost_user_reset(struct vhost_user *vu)
{
	virtio_pause(vu->dev, false);
	virtio_reset(vu->dev);
	vu->held = false;
}

static int start_anew(struct vhost_user *vu)
{
	vhost_user_reset(vu);
	vu->dev->driver_features = vu->features & vu->dev->features;
	for (unsigned i = 0; i < vu->n_queues; i++) {
		int r = place_queue(vu, i);

		if (r < 0)
			return r;
		vu->dev->queues[i].ready = true;
	}
	return virtio_activate(vu->dev);
}

void vhost_user_start_if_complete(struct vhost_user *vu)
{
	int r = 0;

	if (!complete(vu))
		return;
	if (continues(vu))
		r = go_on(vu);
	else if (!vu->dev->active || vu->held)
		r = start_anew(vu);
	if (r < 0)
		virtio_fail(vu->dev, "bad queue set-up"); /* once */
}

/* --- memory -------------------------------------------------------------------------------- */

void vhost_user_unmap(struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu->mem.n_regions; i++)
		munmap(vu->regions[i].map, vu->regions[i].map_size);
	vu->mem.n_regions = 0;
}

int vhost_user_map(struct vhost_user *vu, const struct vhost_user_region *r, int fd)
{
	unsigned i = vu->mem.n_regions;
	uint64_t begin = r->fd_offset & ~4095ull, slack = r->fd_offset - begin;
	struct stat st;
	void *map;

	/* No overflow: the parser bounds offset + size by INT64_MAX. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < r->fd_offset + r->size)
		return -EPROTO;
	map = mmap(NULL, r->size + slack, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)begin);
	if (map == MAP_FAILED)
		return -errno;
	madvise(map, r->size + slack, MADV_DONTDUMP);
	vu->regions[i] = (struct region){
		.front_addr = r->front_addr,
		.map = map,
		.map_size = r->size + slack,
	};
	vu->mem.regions[i] = (struct memory_region){
		.gpa = r->gpa,
		.size = r->size,
		.host = (uint8_t *)map + slack,
	};
	vu->mem.n_regions++;
	return 0;
}
