/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-rng (virtio 1.2, 5.4): random bytes from getrandom(2). */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

struct virtio_device;

/* Destroyed by its transport, or by ops->destroy. */
int virtio_rng_create(struct virtio_device **ret);

#endif
