/* SPDX-License-Identifier: Apache-2.0 */
/* What virtio_net.c (the slot) and virtio_net_queue.c (its packets) share. */
#ifndef VMM_VIRTIO_NET_INTERNAL_H
#define VMM_VIRTIO_NET_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/slots.h"
#include "vmm/net_backend.h"
#include "vmm/throttle.h"
#include "vmm/virtio.h"

#define NET_RX_BUFFERS  256
#define NET_RX_SEGMENTS 1024 /* IOV_MAX */

/* The receive buffers of one queue that a turn has fetched and not yet filled: [first, n). */
struct net_rx {
	unsigned first, n;
	unsigned first_iov, n_iov;
	size_t room; /* of all */
	struct {
		uint16_t head;
		unsigned n_iov;
		uint32_t len;
	} buffers[NET_RX_BUFFERS];
	struct iovec iov[NET_RX_SEGMENTS];
	struct virtq_used used[NET_RX_BUFFERS];
};

struct net {
	struct virtio_device dev;
	struct virtio_ops ops;       /* the number of queues is this instance's */
	struct net_backend *backend; /* NULL: parked */
	struct source *turn;
	unsigned slot;
	unsigned max_pairs, pairs; /* that there are; that the driver uses */
	uint32_t mtu;
	bool readable[NET_MAX_PAIRS]; /* the backend may have a packet */
	bool blocked;                 /* it had no room for one of the driver's */
	struct throttle rx_throttle, tx_throttle;
	bool ended; /* and is let go of at the end of the turn */
	uint64_t rx_packets, rx_bytes, rx_dropped, rx_stalls;
	uint64_t tx_packets, tx_bytes, tx_dropped;
	struct virtq_chain chain;
	struct iovec out[VIRTQ_MAX_CHAIN + 1];
	struct net_rx rx;
};

static inline unsigned net_rx_queue(unsigned pair)
{
	return 2 * pair;
}

static inline unsigned net_tx_queue(unsigned pair)
{
	return 2 * pair + 1;
}

/* A turn of one pair. Where there is more to do, it has asked for another. */
void net_serve_rx(struct net *net, unsigned pair);
void net_serve_tx(struct net *net, unsigned pair);

/* The backend can do no more; from within its own calls too. */
void net_backend_lost(struct net *net);

#endif
