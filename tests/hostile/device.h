/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio-mmio device driven by hand: one queue of it, whose rings and registers anybody here may
 * ruin. device_start() makes everything good again.
 */
#ifndef TESTS_HOSTILE_DEVICE_H
#define TESTS_HOSTILE_DEVICE_H

#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "machine.h"

#define QUEUE_SIZE 16
#define MAX_QUEUES 4

enum device_id {
	ID_NET = 1,
	ID_BLK = 2,
	ID_RNG = 4,
	ID_BALLOON = 5,
	ID_VSOCK = 19,
	ID_MEM = 24,
	ID_FS = 26
};

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER      2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64
#define STATUS_RUNNING     15

struct queue {
	struct vring_desc desc[QUEUE_SIZE];
	struct {
		uint16_t flags, idx, ring[QUEUE_SIZE], used_event;
	} avail;
	uint16_t unused;
	struct {
		uint16_t flags, idx;
		struct vring_used_elem ring[QUEUE_SIZE];
		uint16_t avail_event;
	} used;
} __attribute__((aligned(4096)));

struct device {
	char name[16];
	uint64_t base;
	uint32_t id;
	unsigned attacked;    /* the queue that the guest sends with */
	uint32_t declined;    /* features that are offered and not taken, of the first 32 */
	struct queue *queues; /* MAX_QUEUES, of this device */
};

static inline uint32_t reg_read(const struct device *dev, unsigned reg)
{
	return mmio_read32(dev->base + reg);
}

static inline void reg_write(const struct device *dev, unsigned reg, uint32_t v)
{
	mmio_write32(dev->base + reg, v);
}

/* Resets, and waits until that is done; false: it never is. */
bool device_reset(struct device *dev);
/* The attacked queue's registers, ready at last; the device must be in reset. */
void device_set_queue(struct device *dev, unsigned queue, const struct queue *at, uint32_t size);
/* The first 32 features that are offered. */
uint32_t device_features(struct device *dev);
/* Negotiates everything that is offered, but what is declined. */
void device_negotiate(struct device *dev);
/* From whatever state to DRIVER_OK with clean rings. */
bool device_start(struct device *dev);
bool device_is_broken(const struct device *dev);

struct queue *device_queue(struct device *dev);
void device_notify(struct device *dev, unsigned queue);

/* One segment of a request. */
struct segment {
	uint64_t addr;
	uint32_t len;
	bool in; /* the device writes it */
};

/* Puts the segments into the queue as one chain and rings. */
void device_send(struct device *dev, unsigned queue, const struct segment *segments, unsigned n);
/* Until one more chain has been used, or the device is broken: false, as after 2 s. */
bool device_wait(struct device *dev, unsigned queue, uint16_t seen);
/* Sends and waits. */
bool device_request(struct device *dev, const struct segment *segments, unsigned n);

#endif
