/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a network slot.
 *
 * The driver reads address and features once, at boot, when nobody knows yet which network there
 * will be. So the slot has an address of its own, offers the offloads of the best backend, a tap, and
 * no MTU, which leaves the guest free to set any; what the real network wants is set by the agent, as
 * it would be by a person: address, MTU and, for a backend without offloads, those off. Attach and
 * detach show as the link going up and down.
 *
 * Queues: receive 0, transmit 0, receive 1 … and the control queue last. Commands there choose how
 * many pairs are used. There are no filters, so every frame of the network reaches the guest, as
 * without VIRTIO_NET_F_CTRL_RX it expects. Only checksums and TCP segmentation are offloaded: UDP
 * fragmentation is deprecated, and UDP segmentation needs a newer host than we can ask for.
 *
 * A backend that ends, because its network namespace or its program does, is let go of at the end of
 * the turn, and the slot is parked.
 */
#include "vmm/virtio_net.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "vmm/virtio_net_internal.h"

#define QUEUE_SIZE       256
#define CONTROL_PER_TURN 16

static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "virtio 1.2, 5.1.6");
static_assert(2 * NET_MAX_PAIRS + 1 <= VIRTIO_MAX_QUEUES, "a queue for everything");

static struct net *net_of(struct virtio_device *dev)
{
	return container_of(dev, struct net, dev);
}

/* Behind the pairs that there are, or behind the only one where the driver knows no more of them. */
static unsigned control_queue(const struct net *net)
{
	return virtio_has(&net->dev, VIRTIO_NET_F_MQ) ? 2 * net->max_pairs : 2;
}

/* --- the turn ------------------------------------------------------------------------------- */

static void park(struct net *net)
{
	net_backend_destroy(TAKE_PTR(net->backend));
	net->blocked = net->ended = false;
	memset(net->readable, 0, sizeof(net->readable));
	virtio_notify_config(&net->dev);
}

static void on_turn(struct source *source, uint32_t events, void *data)
{
	struct net *net = data;

	if (net->ended)
		park(net);
	for (unsigned i = 0; i < net->max_pairs; i++) {
		virtio_kick(&net->dev, net_rx_queue(i));
		virtio_kick(&net->dev, net_tx_queue(i));
	}
	virtio_kick(&net->dev, control_queue(net));
}

void net_backend_lost(struct net *net)
{
	if (net->ended)
		return;
	log_limited(&net->dev.log_limit, LOG_WARN, "%s: its %s has gone", net->dev.name,
		    net->backend->ops->name);
	net->ended = true;
	source_defer(net->turn);
}

static void on_readable(void *data, unsigned pair)
{
	struct net *net = data;

	net->readable[pair] = true;
	if (pair < net->max_pairs)
		virtio_kick(&net->dev, net_rx_queue(pair));
}

static void on_writable(void *data)
{
	struct net *net = data;

	net->blocked = false;
	source_defer(net->turn);
}

static void on_refilled(void *data)
{
	struct net *net = data;

	source_defer(net->turn);
}

static void on_ended(void *data)
{
	net_backend_lost(data);
}

/* --- the control queue ---------------------------------------------------------------------- */

static uint8_t obey(struct net *net, const struct virtq_chain *chain)
{
	struct virtio_net_ctrl_hdr header;
	struct virtio_net_ctrl_mq mq;
	unsigned pairs;

	if (chain_read(chain, 0, &header, sizeof(header)) < sizeof(header) ||
	    header.class != VIRTIO_NET_CTRL_MQ || header.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    chain_read(chain, sizeof(header), &mq, sizeof(mq)) < sizeof(mq))
		return VIRTIO_NET_ERR;
	pairs = le16toh(mq.virtqueue_pairs);
	if (!virtio_has(&net->dev, VIRTIO_NET_F_MQ) || !pairs || pairs > net->max_pairs)
		return VIRTIO_NET_ERR;
	net->pairs = pairs;
	if (net->backend)
		net->backend->ops->configure(net->backend, net->dev.driver_features, pairs);
	return VIRTIO_NET_OK;
}

static void serve_control(struct net *net, unsigned queue)
{
	struct virtq *vq = &net->dev.queues[queue];
	unsigned left = CONTROL_PER_TURN;
	int r = 0;

	do {
		while (left && (r = virtq_pop(vq, &net->chain)) > 0) {
			uint8_t ack = obey(net, &net->chain);

			if (chain_write(&net->chain, 0, &ack, sizeof(ack)) < sizeof(ack)) {
				r = -EINVAL;
				break;
			}
			virtq_push(vq, net->chain.head, sizeof(ack));
			left--;
		}
	} while (r == 0 && left && virtq_enable_notify(vq));
	if (r < 0)
		virtio_fail(&net->dev, "broken control request");
	else if (!left)
		source_defer(net->turn);
	virtio_notify_used(&net->dev, queue);
}

/* --- the device ----------------------------------------------------------------------------- */

static void net_kick(struct virtio_device *dev, unsigned queue)
{
	struct net *net = net_of(dev);
	unsigned pair = queue / 2;

	if (queue == control_queue(net)) {
		serve_control(net, queue);
	} else if (pair >= net->max_pairs) {
		return;
	} else if (queue == net_tx_queue(pair)) {
		net_serve_tx(net, pair);
	} else if (net->backend && !net->ended && net->readable[pair]) {
		net_serve_rx(net, pair);
	}
}

static void configure_backend(struct net *net)
{
	if (net->backend)
		net->backend->ops->configure(net->backend, net->dev.driver_features, net->pairs);
}

static int net_activate(struct virtio_device *dev)
{
	struct net *net = net_of(dev);
	int r = throttle_start(&net->rx_throttle, dev->loop);

	if (r == 0)
		r = throttle_start(&net->tx_throttle, dev->loop);
	if (r < 0)
		throttle_stop(&net->rx_throttle);
	net->pairs = 1;
	configure_backend(net);
	return r;
}

static void net_reset(struct virtio_device *dev)
{
	struct net *net = net_of(dev);

	throttle_stop(&net->rx_throttle);
	throttle_stop(&net->tx_throttle);
	net->pairs = 1;
	dev->driver_features = 0;
	configure_backend(net);
}

static void net_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	struct net *net = net_of(dev);
	struct virtio_net_config config = {
		.mac = NET_SLOT_MAC((uint8_t)net->slot),
		.status = htole16(net->backend && !net->ended ? VIRTIO_NET_S_LINK_UP : 0),
		.max_virtqueue_pairs = htole16((uint16_t)net->max_pairs),
	};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static void net_destroy(struct virtio_device *dev)
{
	struct net *net = net_of(dev);

	throttle_stop(&net->rx_throttle);
	throttle_stop(&net->tx_throttle);
	source_remove(net->turn);
	net_backend_destroy(net->backend);
	free(net);
}

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct net, name) - offsetof(struct net, dev)                      \
	}

static const struct virtio_counter counters[] = {
	COUNTER(rx_packets), COUNTER(rx_bytes),          COUNTER(rx_dropped),
	COUNTER(rx_stalls),  COUNTER(tx_packets),        COUNTER(tx_bytes),
	COUNTER(tx_dropped), COUNTER(rx_throttle.waits), COUNTER(tx_throttle.waits),
};

static const struct virtio_ops net_ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.features = 1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS |
		    1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |
		    1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 |
		    1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6 |
		    1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_NET_F_CTRL_VQ,
	.queue_size = QUEUE_SIZE,
	.config_size = offsetof(struct virtio_net_config, mtu),
	.config_read = net_config_read,
	.activate = net_activate,
	.reset = net_reset,
	.kick = net_kick,
	.destroy = net_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_net_create(struct loop *loop, unsigned slot, unsigned pairs, const struct rate *rate,
		      struct virtio_device **ret)
{
	struct net *net;
	char name[16];
	int r;

	if (!pairs || pairs > NET_MAX_PAIRS || slot >= NET_MAX_SLOTS)
		return -EINVAL;
	net = calloc(1, sizeof(*net));
	if (!net)
		return -ENOMEM;
	net->ops = net_ops;
	net->ops.n_queues = 2 * pairs + 1;
	if (pairs > 1)
		net->ops.features |= 1ull << VIRTIO_NET_F_MQ;
	snprintf(name, sizeof(name), "net%u", slot);
	virtio_init(&net->dev, &net->ops, name);
	throttle_init(&net->rx_throttle, rate, on_refilled, net);
	throttle_init(&net->tx_throttle, rate, on_refilled, net);
	net->slot = slot;
	net->max_pairs = pairs;
	net->pairs = 1;
	r = loop_add_defer(loop, on_turn, net, &net->turn);
	if (r < 0) {
		free(net);
		return r;
	}
	*ret = &net->dev;
	return 0;
}

/* --- its backing ---------------------------------------------------------------------------- */

static struct net_backend_events events_of(struct net *net)
{
	return (struct net_backend_events){
		.readable = on_readable,
		.writable = on_writable,
		.ended = on_ended,
		.data = net,
	};
}

static void set_backend(struct net *net, struct net_backend *backend, uint32_t mtu)
{
	net->backend = backend;
	net->mtu = mtu;
	configure_backend(net);
	virtio_notify_config(&net->dev);
}

static int check_parked(const struct net *net, struct err *err)
{
	return net->backend ? err_set(err, EBUSY, "%s: in use", net->dev.name) : 0;
}

int virtio_net_attach_tap(struct virtio_device *dev, const int *fds, unsigned n, uint32_t mtu,
			  struct err *err)
{
	struct net *net = net_of(dev);
	struct net_backend_events events = events_of(net);
	struct net_backend *backend;
	int r = check_parked(net, err);

	for (unsigned i = 0; r < 0 && i < n; i++)
		close(fds[i]);
	if (r == 0)
		r = net_tap_create(dev->loop, fds, n, &events, &backend, err);
	if (r == 0)
		set_backend(net, backend, mtu);
	return r;
}

int virtio_net_attach_stream(struct virtio_device *dev, int fd, uint32_t mtu, struct err *err)
{
	struct net *net = net_of(dev);
	struct net_backend_events events = events_of(net);
	struct net_backend *backend;
	int r = check_parked(net, err);

	if (r < 0)
		close(fd);
	if (r == 0)
		r = net_stream_create(dev->loop, fd, &events, &backend, err);
	if (r == 0)
		set_backend(net, backend, mtu);
	return r;
}

int virtio_net_detach(struct virtio_device *dev, struct err *err)
{
	struct net *net = net_of(dev);

	if (!net->backend)
		return err_set(err, ENOENT, "%s: nothing attached", dev->name);
	park(net);
	/* What was held back is lost with it. */
	source_defer(net->turn);
	return 0;
}
