/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-vsock (virtio 1.2, 5.10), its host side in user space over Unix sockets; see vsock_mux.h.
 */
#ifndef VMM_VIRTIO_VSOCK_H
#define VMM_VIRTIO_VSOCK_H

#include <stdint.h>

struct loop;
struct virtio_device;

/*
 * Listens on "vsock" in the directory dirfd (borrowed, must outlive the device; AT_FDCWD: the working
 * directory, which must stay the same) at once.
 * -EADDRINUSE where something is there already. guest_cid is what the guest is told to be, at
 * least 3.
 */
int virtio_vsock_create(int dirfd, uint64_t guest_cid, struct loop *loop,
			struct virtio_device **ret);

/* Drops every connection and tells the guest so: for a clone, whose connections are another's. */
void virtio_vsock_transport_reset(struct virtio_device *dev);

#endif
