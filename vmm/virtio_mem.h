/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-mem (virtio 1.2, 5.15): memory that a guest gets while it runs. The owner says how much of a
 * region it should have; its driver plugs and unplugs blocks until it has that.
 */
#ifndef VMM_VIRTIO_MEM_H
#define VMM_VIRTIO_MEM_H

#include <stdint.h>

#include "common/err.h"

struct virtio_device;

#define VIRTIO_MEM_BLOCK (2ull << 20)

/*
 * What the region, its size and every request for it are multiples of: a guest's kernel adds memory in
 * pieces of this size, by where the memory that it booted with ends.
 */
uint64_t virtio_mem_granule(uint64_t boot_end);

struct virtio_mem_space {
	uint64_t gpa, size, granule;
	/* The first size bytes can be the guest's from now on; it never becomes less. 0 or -errno. */
	int (*open)(void *data, uint64_t size);
	void *data;
};

int virtio_mem_create(const struct virtio_mem_space *space, struct virtio_device **ret);

/* size, up to the next granule, or all that there is. */
uint64_t virtio_mem_round(const struct virtio_device *dev, uint64_t size);

/*
 * The guest should have size bytes of the region, granules, and will when its driver gets to it: less than
 * it has only if it can spare it. -EINVAL where the region has not that many; what open() says.
 */
int virtio_mem_request(struct virtio_device *dev, uint64_t size);

#endif
