/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-net (virtio 1.2, 5.1): a network slot. It is parked, its link down, until a network is
 * attached, which may be at any time; see common/slots.h for its address and MTU.
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include <stdint.h>

#include "common/err.h"

struct loop;
struct rate;
struct virtio_device;

/* A parked slot with at most pairs queue pairs (1 to NET_MAX_PAIRS); rate holds for each way. */
int virtio_net_create(struct loop *loop, unsigned slot, unsigned pairs, const struct rate *rate,
		      struct virtio_device **ret);

/*
 * Attach the queues of a tap, or a stream socket (net_backend.h), and raise the link. Descriptors are
 * taken over, also on failure. No frame that the network may send is longer than its mtu says. -EBUSY
 * where the slot is in use.
 */
int virtio_net_attach_tap(struct virtio_device *dev, const int *fds, unsigned n, uint32_t mtu,
			  struct err *err);
int virtio_net_attach_stream(struct virtio_device *dev, int fd, uint32_t mtu, struct err *err);

/* Parks the slot again; what the guest sends is lost. -ENOENT where it is parked. */
int virtio_net_detach(struct virtio_device *dev, struct err *err);

#endif
