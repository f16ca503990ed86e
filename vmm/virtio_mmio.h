/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-mmio transport, version 2 (virtio 1.2, 4.2): a page of registers for one device, its
 * doorbells as ioeventfds, its interrupt raised from the loop. A vCPU thread may wait for the loop inside a
 * register write, so who waits for vCPU threads keeps the loop turning meanwhile.
 */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include <stdint.h>

#include "common/cleanup.h"

struct loop;
struct virtio_device;
struct virtio_mmio;
struct vm;

#define VIRTIO_MMIO_SIZE 0x1000

/*
 * Puts dev at [base, base + VIRTIO_MMIO_SIZE) of vm's MMIO bus, with that interrupt line; its ops
 * run on loop's thread. dev is taken over where this succeeds. vm and loop are borrowed.
 */
int virtio_mmio_create(struct vm *vm, struct loop *loop, uint64_t base, unsigned line,
		       struct virtio_device *dev, struct virtio_mmio **ret);

/* Destroys the device too. The vCPU threads must have ended. */
void virtio_mmio_destroy(struct virtio_mmio *mmio);
DEFINE_CLEANUP(struct virtio_mmio, virtio_mmio_destroy)

#endif
