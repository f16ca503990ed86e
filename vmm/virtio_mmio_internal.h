/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the virtio-mmio transport share; see virtio_mmio.c for how it works. */
#ifndef VMM_VIRTIO_MMIO_INTERNAL_H
#define VMM_VIRTIO_MMIO_INTERNAL_H

#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/virtio.h"
#include "vmm/virtio_mmio.h"

#define MMIO_CONFIG_MAX 256

struct mmio_queue {
	struct virtio_mmio *mmio;
	unsigned index;
	int kick_fd;
	struct source *kick;
	/* Staged, under the lock. */
	uint32_t num;
	bool ready;
	uint64_t desc, avail, used;
};

enum handover { HAND_NONE, HAND_RESET, HAND_ACTIVATE, HAND_STOP_QUEUE, HAND_CONFIG_WRITE };

struct virtio_mmio {
	struct virtio_device *dev;
	struct irq irq;
	int work_fd;
	struct source *work;
	pthread_t loop_thread;
	uint32_t interrupt_status; /* atomic */

	pthread_mutex_t lock; /* of everything below, and of the queues' staged registers */
	pthread_cond_t cond;
	uint32_t status, generation;
	uint64_t features; /* offered */
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	bool live; /* DRIVER_OK has been served */
	uint8_t config[MMIO_CONFIG_MAX];
	enum handover pending;
	uint64_t served;
	struct {
		unsigned queue;
		size_t offset, len;
		uint8_t data[8];
	} arg;

	unsigned n_queues;
	struct mmio_queue queues[VIRTIO_MAX_QUEUES];
};

/* All but the wiring to a VM: no bus, no ioeventfds; irq is copied. dev is taken over on success. */
int virtio_mmio_new(struct loop *loop, const struct memory *mem, const struct irq *irq,
		    struct virtio_device *dev, struct virtio_mmio **ret);

/* Does what was handed over. On the loop's thread, the lock held; drops it while it works. */
void virtio_mmio_serve(struct virtio_mmio *m);

/* The register file, on vCPU threads. */
extern const struct bus_ops virtio_mmio_bus_ops;

/* All registers as after power-on; under the lock. */
void virtio_mmio_clear(struct virtio_mmio *m);

static inline void ring_bell(int fd)
{
	uint64_t one = 1;

	/* Cannot fail but at 2^64 - 1 unread rings, which ring as well. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

#endif
