/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the virtio side of vsock: three queues, and between them and the mux the
 * packets' way in and out of guest memory.
 *
 * A turn takes at most TX_PER_TURN packets from the guest and makes at most FILLS_PER_TURN batches
 * for it, then lets the loop do other things. A batch pops several of the guest's receive buffers,
 * lets the mux fill what it can with one read, and puts the rest back.
 *
 * A short packet's buffer is given back late: with the next packet for the guest, whose interrupt says
 * both, or when some more are held. So a request and its answer interrupt the guest once, not twice. What
 * is held is little of the ring and of the guest's memory; and a device may use a buffer when it likes.
 *
 * The tx queue rests while the mux has no room for another refusal; filling makes room. So a guest
 * that sends nonsense and offers no receive buffers stops itself.
 */
#include "vmm/virtio_vsock.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/virtio.h"
#include "vmm/vsock_mux.h"

#define QUEUE_SIZE     256
#define TX_PER_TURN    128
#define FILLS_PER_TURN 16

/* As much as may be held of the tx queue: packets, their bytes, and a part of the queue's entries. */
#define HELD_MAX       16
#define HELD_MAX_BYTES 16384
#define HELD_MAX_SHARE 8

static_assert(VIRTQ_MAX_CHAIN <= VSOCK_SLOT_IOV, "a fill has room for any chain");

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT, N_QUEUES };

/* A receive buffer of the guest: the segments of the whole chain, and those after the header. */
struct buffer {
	uint16_t head;
	struct iovec *whole;
	unsigned n_whole;
};

struct vsock {
	struct virtio_device dev;
	struct vsock_mux *mux;
	struct source *turn; /* goes on with both queues */
	uint64_t guest_cid;
	bool serving;       /* what wakes us now is seen without being deferred */
	bool reset_pending; /* the event waits for a buffer */
	struct virtq_used held[HELD_MAX];
	unsigned n_held, held_segments;
	size_t held_bytes;
	struct virtq_chain chain;
	struct buffer buffers[VSOCK_SLOTS];
	struct vsock_slot slots[VSOCK_SLOTS];
	struct iovec whole[VSOCK_SLOT_IOV];
	struct iovec payload[VSOCK_SLOT_IOV];
	uint64_t rx_stalls; /* times that the guest had no receive buffers */
	struct vsock_counters counters;
};

static struct vsock *vsock_of(struct virtio_device *dev)
{
	return container_of(dev, struct vsock, dev);
}

/* --- from the guest ------------------------------------------------------------------------ */

static int receive(struct vsock *vsock, struct virtq_chain *chain)
{
	uint8_t header[VSOCK_HEADER_SIZE];
	struct vsock_packet packet;
	struct iovec *payload = chain->iov;
	unsigned n = chain->n_out;

	if (chain_read(chain, 0, header, sizeof(header)) < sizeof(header))
		return -EINVAL;
	vsock_packet_decode(header, &packet);
	if (packet.len > VSOCK_MAX_PAYLOAD || packet.len > chain->out_len - sizeof(header))
		return -EINVAL;
	iov_skip(&payload, &n, sizeof(header));
	vsock_mux_receive(vsock->mux, &packet, payload, n);
	return 0;
}

static void release(struct vsock *vsock)
{
	virtq_push_all(&vsock->dev.queues[QUEUE_TX], vsock->held, vsock->n_held);
	vsock->n_held = vsock->held_segments = 0;
	vsock->held_bytes = 0;
}

static void hold(struct vsock *vsock)
{
	const struct virtq_chain *chain = &vsock->chain;

	vsock->held[vsock->n_held++] = (struct virtq_used){.head = chain->head};
	vsock->held_segments += chain->n_out + chain->n_in;
	vsock->held_bytes += chain->out_len;
	if (vsock->n_held == HELD_MAX || vsock->held_bytes > HELD_MAX_BYTES ||
	    vsock->held_segments >= vsock->dev.queues[QUEUE_TX].size / HELD_MAX_SHARE)
		release(vsock);
}

/* 1: there may be more; 0: none, or the mux has no room; or -errno. */
static int receive_some(struct vsock *vsock, unsigned max)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_TX];

	while (vsock_mux_can_receive(vsock->mux)) {
		int r;

		if (!max--)
			return 1;
		r = virtq_pop(vq, &vsock->chain);
		if (r <= 0)
			return r;
		r = receive(vsock, &vsock->chain);
		hold(vsock);
		if (r < 0)
			return r;
	}
	return 0;
}

static void serve_tx(struct vsock *vsock)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_TX];
	int r;

	virtq_disable_notify(vq);
	do
		r = receive_some(vsock, TX_PER_TURN);
	while (!r && vsock_mux_can_receive(vsock->mux) && virtq_enable_notify(vq));
	if (r < 0) {
		release(vsock);
		virtio_fail(&vsock->dev, "broken packet from the guest");
	} else if (r) {
		source_defer(vsock->turn);
	}
	virtio_notify_used(&vsock->dev, QUEUE_TX);
}

/* --- to the guest -------------------------------------------------------------------------- */

/* Makes a slot of the popped chain. -ENOSPC: its segments are too many for this batch. */
static int add_slot(struct vsock *vsock, unsigned i, unsigned *used_iov)
{
	const struct virtq_chain *chain = &vsock->chain;
	struct buffer *buffer = &vsock->buffers[i];
	struct vsock_slot *slot = &vsock->slots[i];

	if (chain->in_len <= VSOCK_HEADER_SIZE)
		return -EINVAL;
	if (chain->n_in > VSOCK_SLOT_IOV - *used_iov)
		return -ENOSPC;
	buffer->head = chain->head;
	buffer->whole = vsock->whole + *used_iov;
	buffer->n_whole = chain->n_in;
	slot->payload = vsock->payload + *used_iov;
	slot->n = chain->n_in;
	memcpy(buffer->whole, chain->iov + chain->n_out, chain->n_in * sizeof(struct iovec));
	memcpy(slot->payload, buffer->whole, chain->n_in * sizeof(struct iovec));
	*used_iov += chain->n_in;
	iov_skip(&slot->payload, &slot->n, VSOCK_HEADER_SIZE);
	slot->n = iov_truncate(slot->payload, slot->n, VSOCK_MAX_PAYLOAD);
	slot->room = (uint32_t)iov_size(slot->payload, slot->n);
	return 0;
}

/* Returns how many slots there are, or -errno. */
static int pop_slots(struct vsock *vsock)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_RX];
	unsigned n = 0, used_iov = 0;

	while (n < VSOCK_SLOTS) {
		int r = virtq_pop(vq, &vsock->chain);

		if (r < 0)
			return r;
		if (!r)
			break;
		r = add_slot(vsock, n, &used_iov);
		if (r == -ENOSPC) {
			virtq_unpop(vq);
			break;
		}
		if (r < 0)
			return r;
		n++;
	}
	return (int)n;
}

/* One batch. Returns how many buffers there were, or -errno. */
static int fill(struct vsock *vsock)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_RX];
	int n = pop_slots(vsock);
	unsigned used;

	if (n <= 0)
		return n;
	used = vsock_mux_fill(vsock->mux, vsock->slots, (unsigned)n);
	for (unsigned i = 0; i < used; i++) {
		const struct buffer *buffer = &vsock->buffers[i];
		uint8_t header[VSOCK_HEADER_SIZE];

		vsock_packet_encode(&vsock->slots[i].packet, header);
		iov_copy_in(buffer->whole, buffer->n_whole, 0, header, sizeof(header));
		virtq_push(vq, buffer->head, VSOCK_HEADER_SIZE + vsock->slots[i].packet.len);
	}
	for (unsigned i = used; i < (unsigned)n; i++)
		virtq_unpop(vq);
	return n;
}

static void serve_rx(struct vsock *vsock)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_RX];
	unsigned left = FILLS_PER_TURN;
	bool filled = false;
	int r = 1;

	virtq_disable_notify(vq);
	while (vsock_mux_pending(vsock->mux)) {
		if (!left--) {
			source_defer(vsock->turn);
			break;
		}
		r = fill(vsock);
		if (r < 0)
			break;
		filled |= r > 0;
		if (!r) {
			vsock->rx_stalls++;
			if (!virtq_enable_notify(vq))
				break;
		}
	}
	if (r < 0)
		virtio_fail(&vsock->dev, "broken receive buffer");
	if (filled)
		release(vsock);
	virtio_notify_both(&vsock->dev, QUEUE_RX, QUEUE_TX);
}

/* --- the event queue ----------------------------------------------------------------------- */

static void serve_event(struct vsock *vsock)
{
	struct virtq *vq = &vsock->dev.queues[QUEUE_EVENT];
	struct virtio_vsock_event event = {
		.id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET),
	};
	int r;

	if (!vsock->reset_pending || !virtio_serving(&vsock->dev))
		return;
	do
		r = virtq_pop(vq, &vsock->chain);
	while (!r && virtq_enable_notify(vq));
	if (!r)
		return; /* the driver will kick */
	if (r < 0 || chain_write(&vsock->chain, 0, &event, sizeof(event)) < sizeof(event)) {
		virtio_fail(&vsock->dev, "broken event buffer");
		return;
	}
	vsock->reset_pending = false;
	virtq_push(vq, vsock->chain.head, sizeof(event));
	virtio_notify_used(&vsock->dev, QUEUE_EVENT);
}

void virtio_vsock_transport_reset(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);

	if (!dev->active)
		return;
	vsock_mux_set_open(vsock->mux, false);
	vsock_mux_set_open(vsock->mux, true);
	vsock->reset_pending = true;
	serve_event(vsock);
}

/* --- the device ---------------------------------------------------------------------------- */

static void serve(struct vsock *vsock)
{
	bool rested;

	vsock->serving = true;
	if (virtio_serving(&vsock->dev))
		serve_tx(vsock);
	/* Whether the guest's packets wait for what serve_rx() frees: it has been told not to kick for them. */
	rested = !vsock_mux_can_receive(vsock->mux);
	if (virtio_serving(&vsock->dev))
		serve_rx(vsock);
	vsock->serving = false;
	if (rested && vsock_mux_can_receive(vsock->mux))
		source_defer(vsock->turn);
}

static void on_turn(struct source *source, uint32_t events, void *data)
{
	serve(data);
}

/* The mux has something; at the end of the turn, so that a turn's events make one batch. */
static void on_wake(void *data)
{
	struct vsock *vsock = data;

	if (!vsock->serving && vsock->dev.active)
		source_defer(vsock->turn);
}

static void vsock_kick(struct virtio_device *dev, unsigned queue)
{
	struct vsock *vsock = vsock_of(dev);

	if (queue == QUEUE_EVENT)
		serve_event(vsock);
	else
		serve(vsock);
}

static int vsock_activate(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);
	int r = loop_add_defer(dev->loop, on_turn, vsock, &vsock->turn);

	if (r < 0)
		return r;
	vsock_mux_set_open(vsock->mux, true);
	return 0;
}

static void vsock_reset(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);

	vsock_mux_set_open(vsock->mux, false);
	vsock->reset_pending = false;
	vsock->n_held = vsock->held_segments = 0;
	vsock->held_bytes = 0;
	source_remove(vsock->turn);
	vsock->turn = NULL;
}

static void vsock_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	struct virtio_vsock_config config = {.guest_cid = htole64(vsock_of(dev)->guest_cid)};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static void vsock_destroy(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);

	vsock_mux_destroy(vsock->mux);
	free(vsock);
}

#define COUNTER(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct vsock, counters.field) - offsetof(struct vsock, dev)       \
	}

static const struct virtio_counter counters[] = {
	COUNTER(rx_packets),
	COUNTER(rx_bytes),
	COUNTER(tx_packets),
	COUNTER(tx_bytes),
	COUNTER(connections),
	COUNTER(refused),
	COUNTER(dropped),
	{"rx_stalls", offsetof(struct vsock, rx_stalls) - offsetof(struct vsock, dev)},
};

/* Who goes on with the queues takes what was popped for pushed. */
static void vsock_pause(struct virtio_device *dev, bool on)
{
	struct vsock *vsock = vsock_of(dev);

	if (!on || !vsock->n_held)
		return;
	release(vsock);
	virtio_notify_used(dev, QUEUE_TX);
}

static const struct virtio_ops vsock_ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.n_queues = N_QUEUES,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_vsock_config),
	.config_read = vsock_config_read,
	.activate = vsock_activate,
	.reset = vsock_reset,
	.kick = vsock_kick,
	.pause = vsock_pause,
	.destroy = vsock_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_vsock_create(int dirfd, uint64_t guest_cid, struct loop *loop,
			struct virtio_device **ret)
{
	struct vsock *vsock = calloc(1, sizeof(*vsock));
	struct vsock_mux_config config = {
		.dirfd = dirfd,
		.guest_cid = guest_cid,
		.wake = on_wake,
		.data = vsock,
	};
	int r;

	if (!vsock)
		return -ENOMEM;
	config.counters = &vsock->counters;
	r = vsock_mux_create(loop, &config, &vsock->mux);
	if (r < 0) {
		free(vsock);
		return r;
	}
	virtio_init(&vsock->dev, &vsock_ops, "vsock");
	vsock->guest_cid = guest_cid;
	*ret = &vsock->dev;
	return 0;
}
