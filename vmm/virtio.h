/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: what a virtio device is, apart from how the guest reaches it.
 *
 * A device (virtio_rng.c, virtio_blk.c, virtio_vsock.c …) fills a struct virtio_device and an ops
 * table. A transport (virtio_mmio.c in sbx-vmm, vhost_user.c in sbx-share) owns the register file,
 * negotiates features, sets the queues up and calls the ops. The device talks back through
 * virtio_notify_used(), virtio_notify_config() and virtio_fail(). All ops run on the device loop's
 * thread; so do the queues: a transport whose registers are written on vCPU threads hands a status
 * change over to the loop and waits for it.
 *
 * Split rings only (virtio 1.2, 2.7). The queue copies each descriptor once into a struct
 * virtq_chain and judges the copy; a chain is bounded by the queue's size; a fault is -EFAULT or
 * -EINVAL, upon which the device calls virtio_fail(): DEVICE_NEEDS_RESET, and nothing is served
 * until the driver resets.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/log.h"
#include "vmm/memory.h"
#include "vmm/virtq_walk.h"

#define VIRTIO_MAX_QUEUES 18

struct loop;
struct source;
struct virtio_device;

struct virtq {
	const struct memory *mem;
	uint16_t size;     /* a power of two, set by the driver, <= max_size */
	uint16_t max_size; /* set by the device */
	bool ready;
	bool event_idx;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	/* Host addresses of the rings, looked up when the queue becomes ready. */
	const void *desc, *avail;
	void *used;
	uint16_t next_avail; /* ring index of the next chain to pop */
	uint16_t next_used;  /* ring index of the next element to push */
	uint16_t signalled;  /* next_used when the driver was last notified */
};

/* Checks the three rings' addresses, sizes and alignment against memory. 0, -EINVAL or -EFAULT. */
int virtq_start(struct virtq *vq, const struct memory *mem, bool event_idx);
void virtq_reset(struct virtq *vq);
/* 1: *chain is the next request. 0: none. -EINVAL, -EFAULT: the driver broke the ring. */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
/* Puts the last popped chain back, as the next one to pop. */
void virtq_unpop(struct virtq *vq);
/* Returns a chain with written bytes of its in segments filled. */
void virtq_push(struct virtq *vq, uint16_t head, uint32_t written);
/* The same for several chains that the driver must see together. */
struct virtq_used {
	uint16_t head;
	uint32_t written;
};
void virtq_push_all(struct virtq *vq, const struct virtq_used *used, unsigned n);
/* Whether the driver wants an interrupt for what was pushed since the last call. */
bool virtq_should_notify(struct virtq *vq);
/* Asks for (or, as a hint, against) notifications; true: a chain is waiting, go on popping. */
bool virtq_enable_notify(struct virtq *vq);
void virtq_disable_notify(struct virtq *vq);

/* Copies between a chain's segments and a buffer, from offset on. Returns the bytes copied. */
size_t chain_read(const struct virtq_chain *chain, size_t offset, void *buf, size_t len);
size_t chain_write(const struct virtq_chain *chain, size_t offset, const void *buf, size_t len);

/* A counter for the control service's Metrics, shown as "<device name>.<counter name>". */
struct virtio_counter {
	const char *name;
	size_t offset; /* from the struct virtio_device, of a uint64_t of the loop's thread */
};

struct virtio_ops {
	const char *name;
	uint32_t id;       /* virtio device id */
	uint64_t features; /* beyond those of the transport (VERSION_1, EVENT_IDX …) */
	unsigned n_queues;
	uint16_t queue_size;
	/* Config space; offset + len lies within config_size. Writes may be NULL. */
	size_t config_size;
	void (*config_read)(struct virtio_device *dev, size_t offset, void *buf, size_t len);
	void (*config_write)(struct virtio_device *dev, size_t offset, const void *buf, size_t len);
	/* Starts the device's threads, once, before there is a driver. May be NULL. */
	int (*start)(struct virtio_device *dev);
	/* DRIVER_OK: dev->driver_features and the ready queues are final. 0 or -errno (needs
	 * reset). */
	int (*activate)(struct virtio_device *dev);
	/* Back to the state before activate; must cope with requests in flight. */
	void (*reset)(struct virtio_device *dev);
	/* The driver has put something into queue. */
	void (*kick)(struct virtio_device *dev, unsigned queue);
	/* Stops serving, before a pause or snapshot, and goes on. May be NULL. */
	void (*pause)(struct virtio_device *dev, bool on);
	/* While paused: ends what is in flight and points into guest memory, which is about to go; may
	 * wait for that. NULL: nothing is in flight while paused. */
	void (*drain)(struct virtio_device *dev);
	void (*destroy)(struct virtio_device *dev);
	const struct virtio_counter *counters;
	unsigned n_counters;
};

/* How a device reaches the driver; the transport's side. */
struct virtio_transport_ops {
	void (*notify_queue)(struct virtio_device *dev, unsigned queue);
	bool one_interrupt; /* for all queues */
	void (*notify_config)(struct virtio_device *dev);
	/* NULL: the transport asks the device each time. */
	void (*renew_config)(struct virtio_device *dev);
	void (*needs_reset)(struct virtio_device *dev);
};

struct virtio_device {
	const struct virtio_ops *ops;
	const struct virtio_transport_ops *transport;
	void *transport_data;
	struct loop *loop;
	const struct memory *mem;
	uint64_t features;        /* offered: ops->features less what this instance cannot */
	uint64_t driver_features; /* accepted */
	bool active, failed, paused;
	char name[16]; /* "vsock", "blk0" */
	struct log_limit log_limit;
	struct virtq queues[VIRTIO_MAX_QUEUES];
};

/* Interrupts for queue if the driver wants to know. */
void virtio_notify_used(struct virtio_device *dev, unsigned queue);
/* The same of two queues, with one interrupt where they have it in common. */
void virtio_notify_both(struct virtio_device *dev, unsigned queue, unsigned other);
void virtio_notify_config(struct virtio_device *dev);
/* The driver sees the new configuration, and is not told: it caused the change. */
void virtio_renew_config(struct virtio_device *dev);
/* The driver broke the protocol: log (limited), DEVICE_NEEDS_RESET, serve nothing until reset. */
void virtio_fail(struct virtio_device *dev, const char *why);

/* What every device offers. */
#define VIRTIO_COMMON_FEATURES                                                                     \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX |                            \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC)

/* For devices: a fresh one, not yet on a transport. */
void virtio_init(struct virtio_device *dev, const struct virtio_ops *ops, const char *name);

/*
 * For transports. virtio_activate: DRIVER_OK; the queues are started. virtio_reset: at any time,
 * also where not active. virtio_kick: the driver has put something into queue (any number is fine).
 */
int virtio_activate(struct virtio_device *dev);
void virtio_reset(struct virtio_device *dev);
void virtio_kick(struct virtio_device *dev, unsigned queue);

/* Stops serving the driver, before a pause or snapshot, and goes on with what waits in the queues.
 */
void virtio_pause(struct virtio_device *dev, bool on);

/* The value of ops->counters[i]. */
uint64_t virtio_counter(const struct virtio_device *dev, unsigned i);

static inline bool virtio_serving(const struct virtio_device *dev)
{
	return dev->active && !dev->failed && !dev->paused;
}

static inline bool virtio_has(const struct virtio_device *dev, unsigned feature)
{
	return dev->driver_features & (1ull << feature);
}

#endif
