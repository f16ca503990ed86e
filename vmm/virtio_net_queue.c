/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: packets, both ways, straight between guest memory and the backend.
 *
 * To the guest, the size of a packet is known only once it has been read. So a turn fetches receive
 * buffers until they can hold the largest packet that may come, has the packet read into all of
 * them, and uses as many as it filled (with MRG_RXBUF; without, each packet has one buffer). Those
 * that are left serve the next packet, and go back to the ring at the end of the turn. The buffers of
 * one packet are published together. With too few buffers nothing is read: the packet waits in the
 * backend, the driver's kick goes on. A packet larger than what the driver offers is lost, or
 * cut off by a tap.
 *
 * From the guest, the header is copied and judged, and the copy goes to the backend in its place.
 *
 * A turn moves at most PER_TURN packets each way and lets the loop serve others. A way whose rate is used
 * up (throttle.h) rests: packets wait in the driver's queue, or in the backend.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/virtio_net_internal.h"

#define PER_TURN        64
#define NUM_BUFFERS_OFF offsetof(struct virtio_net_hdr_v1, num_buffers)

/* --- to the guest ------------------------------------------------------------------------- */

/* What the largest packet takes, with the features that the driver has accepted. */
static size_t largest_packet(const struct net *net)
{
	size_t plain = NET_HEADER + NET_MIN_FRAME + 4 + net->mtu; /* 4: a VLAN tag */

	if (virtio_has(&net->dev, VIRTIO_NET_F_GUEST_TSO4) ||
	    virtio_has(&net->dev, VIRTIO_NET_F_GUEST_TSO6) || plain > NET_HEADER + NET_MAX_FRAME)
		return NET_HEADER + NET_MAX_FRAME;
	return plain;
}

/* Moves what has not been used to the front of the arrays. */
static void compact(struct net_rx *rx)
{
	memmove(rx->buffers, rx->buffers + rx->first, (rx->n - rx->first) * sizeof(rx->buffers[0]));
	memmove(rx->iov, rx->iov + rx->first_iov, (rx->n_iov - rx->first_iov) * sizeof(rx->iov[0]));
	rx->n -= rx->first;
	rx->n_iov -= rx->first_iov;
	rx->first = rx->first_iov = 0;
}

static bool has_space(const struct net_rx *rx)
{
	return rx->n < NET_RX_BUFFERS && NET_RX_SEGMENTS - rx->n_iov >= VIRTQ_MAX_CHAIN;
}

static int add_buffer(struct net_rx *rx, const struct virtq_chain *chain)
{
	/* Header and at least a byte; what it also has for us to read is none of a packet's. */
	if (chain->in_len <= NET_HEADER)
		return -EINVAL;
	memcpy(rx->iov + rx->n_iov, chain->iov + chain->n_out, chain->n_in * sizeof(struct iovec));
	rx->buffers[rx->n].head = chain->head;
	rx->buffers[rx->n].n_iov = chain->n_in;
	rx->buffers[rx->n].len = chain->in_len;
	rx->n++;
	rx->n_iov += chain->n_in;
	rx->room += chain->in_len;
	return 0;
}

/* 1: there is room for a packet; 0: the driver has not enough buffers there; or -errno. */
static int fetch(struct net *net, struct virtq *vq)
{
	bool merge = virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
	size_t need = merge ? largest_packet(net) : 1;
	struct net_rx *rx = &net->rx;

	while (rx->room < need) {
		int r;

		if (!has_space(rx))
			compact(rx);
		if (!has_space(rx))
			return 1; /* of buffers this small no packet gets more */
		r = virtq_pop(vq, &net->chain);
		if (r > 0)
			r = add_buffer(rx, &net->chain) ?: 1;
		if (r <= 0)
			return r;
	}
	return 1;
}

/* A packet of len bytes lies in the first buffers. */
static void complete(struct net *net, struct virtq *vq, size_t len)
{
	struct net_rx *rx = &net->rx;
	struct iovec *begin = rx->iov + rx->first_iov;
	unsigned n_iov = rx->n_iov - rx->first_iov, n = 0;
	uint16_t num_buffers;

	for (size_t left = len; left; n++) {
		uint32_t size = rx->buffers[rx->first].len;
		uint32_t written = left < size ? (uint32_t)left : size;

		rx->used[n].head = rx->buffers[rx->first].head;
		rx->used[n].written = written;
		rx->first_iov += rx->buffers[rx->first].n_iov;
		rx->first++;
		rx->room -= size;
		left -= written;
	}
	num_buffers = htole16((uint16_t)n);
	iov_copy_in(begin, n_iov, NUM_BUFFERS_OFF, &num_buffers, sizeof(num_buffers));
	virtq_push_all(vq, rx->used, n);
	net->rx_packets++;
	net->rx_bytes += len - NET_HEADER;
}

/* 1: a packet came; 0: there is none, or no room for one; or -errno, the driver's fault. */
static int receive_one(struct net *net, unsigned pair, struct virtq *vq)
{
	bool merge = virtio_has(&net->dev, VIRTIO_NET_F_MRG_RXBUF);
	struct net_rx *rx = &net->rx;
	unsigned n_iov;
	size_t room;
	ssize_t len;
	int r;

	while ((r = fetch(net, vq)) == 0) {
		net->rx_stalls++;
		if (!virtq_enable_notify(vq))
			return 0;
	}
	if (r < 0)
		return r;
	n_iov = merge ? rx->n_iov - rx->first_iov : rx->buffers[rx->first].n_iov;
	room = merge ? rx->room : rx->buffers[rx->first].len;
	len = net->backend->ops->receive(net->backend, pair, rx->iov + rx->first_iov, n_iov);
	if (len <= 0) {
		net->readable[pair] = false;
		if (len < 0)
			net_backend_lost(net);
		return 0;
	}
	throttle_spend(&net->rx_throttle, (size_t)len);
	if ((size_t)len > room || (size_t)len < NET_HEADER + NET_MIN_FRAME)
		net->rx_dropped++;
	else
		complete(net, vq, (size_t)len);
	return 1;
}

void net_serve_rx(struct net *net, unsigned pair)
{
	struct virtq *vq = &net->dev.queues[net_rx_queue(pair)];
	struct net_rx *rx = &net->rx;
	unsigned left = PER_TURN;
	int r = 1;

	rx->first = rx->n = rx->first_iov = rx->n_iov = 0;
	rx->room = 0;
	virtq_disable_notify(vq);
	while (r > 0 && net->readable[pair] && left && throttle_allows(&net->rx_throttle)) {
		r = receive_one(net, pair, vq);
		left--;
	}
	for (; rx->first < rx->n; rx->first++)
		virtq_unpop(vq);
	if (r < 0)
		virtio_fail(&net->dev, "broken receive buffer");
	else if (r > 0 && net->readable[pair] && !net->rx_throttle.waiting)
		source_defer(net->turn);
	virtio_notify_used(&net->dev, net_rx_queue(pair));
}

/* --- from the guest ----------------------------------------------------------------------- */

/* Keeps of the header what was negotiated; false where it asks for more. */
static bool judge(const struct net *net, struct virtio_net_hdr_v1 *header)
{
	if (!virtio_has(&net->dev, VIRTIO_NET_F_CSUM))
		header->flags = 0;
	header->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header->num_buffers = 0;
	switch (header->gso_type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return header->flags && virtio_has(&net->dev, VIRTIO_NET_F_HOST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return header->flags && virtio_has(&net->dev, VIRTIO_NET_F_HOST_TSO6);
	default:
		return false;
	}
}

/* 0: done with it, sent or lost. -EAGAIN: later. -EINVAL: the driver's fault. */
static int send_one(struct net *net, unsigned pair)
{
	struct virtq_chain *chain = &net->chain;
	struct virtio_net_hdr_v1 header;
	struct iovec *frame = chain->iov;
	unsigned n = chain->n_out;
	uint32_t size;
	int r;

	if (chain_read(chain, 0, &header, sizeof(header)) < sizeof(header))
		return -EINVAL;
	size = chain->out_len - (uint32_t)sizeof(header);
	if (!net->backend || net->ended || size < NET_MIN_FRAME || size > NET_MAX_FRAME ||
	    !judge(net, &header)) {
		net->tx_dropped++;
		return 0;
	}
	iov_skip(&frame, &n, sizeof(header));
	net->out[0] = (struct iovec){.iov_base = &header, .iov_len = sizeof(header)};
	memcpy(net->out + 1, frame, n * sizeof(*frame));
	r = net->backend->ops->send(net->backend, pair, net->out, n + 1);
	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		net->tx_dropped++;
	} else {
		net->tx_packets++;
		net->tx_bytes += size;
	}
	return 0;
}

/* 1: there may be more; 0: none, or the backend has no room; or -errno. */
static int send_some(struct net *net, unsigned pair, struct virtq *vq, unsigned max)
{
	while (max--) {
		int r;

		if (!throttle_allows(&net->tx_throttle))
			return 0;
		r = virtq_pop(vq, &net->chain);
		if (r <= 0)
			return r;
		r = send_one(net, pair);
		if (r == -EAGAIN) {
			virtq_unpop(vq);
			net->blocked = true;
			return 0;
		}
		throttle_spend(&net->tx_throttle, net->chain.out_len);
		virtq_push(vq, net->chain.head, 0);
		if (r < 0)
			return r;
	}
	return 1;
}

void net_serve_tx(struct net *net, unsigned pair)
{
	struct virtq *vq = &net->dev.queues[net_tx_queue(pair)];
	int r = 0;

	virtq_disable_notify(vq);
	do
		r = net->blocked ? 0 : send_some(net, pair, vq, PER_TURN);
	while (!r && !net->blocked && !net->tx_throttle.waiting && virtq_enable_notify(vq));
	if (r < 0)
		virtio_fail(&net->dev, "broken packet from the guest");
	else if (r)
		source_defer(net->turn);
	virtio_notify_used(&net->dev, net_tx_queue(pair));
}
