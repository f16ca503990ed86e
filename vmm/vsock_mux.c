/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vsock_mux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/vsock_mux_internal.h"

/* --- from the guest ------------------------------------------------------------------------ */

bool vsock_mux_can_receive(const struct vsock_mux *mux)
{
	return mux->reply_len < VSOCK_REPLIES;
}

/* There is room: the transport asked. */
static void refuse(struct vsock_mux *mux, const struct vsock_packet *packet)
{
	unsigned at = (mux->reply_head + mux->reply_len) % VSOCK_REPLIES;

	if (packet->op == VIRTIO_VSOCK_OP_RST || mux->reply_len == VSOCK_REPLIES)
		return;
	mux->replies[at] = (struct vsock_reply){
		.host_port = packet->dst_port,
		.guest_port = packet->src_port,
		.type = packet->type,
	};
	mux->reply_len++;
	mux->config.counters->refused++;
	mux->config.wake(mux->config.data);
}

static void take_credit(struct vsock_conn *conn, const struct vsock_packet *packet)
{
	conn->peer_buf_alloc = packet->buf_alloc;
	conn->peer_fwd_cnt = packet->fwd_cnt;
}

static void guest_connects(struct vsock_mux *mux, const struct vsock_packet *packet)
{
	struct vsock_conn *conn;
	int fd = vsock_host_connect(mux, packet->dst_port);

	if (fd < 0 || vsock_mux_add(mux, fd, VSOCK_OPEN, &conn) < 0) {
		refuse(mux, packet);
		return;
	}
	/* Nobody has that name, or it would have got the packet. */
	vsock_mux_name(conn, packet->dst_port, packet->src_port);
	mux->config.counters->connections++;
	take_credit(conn, packet);
	conn->pending = VSOCK_SEND_RESPONSE;
	vsock_mux_settle(conn);
}

static int guest_answers(struct vsock_conn *conn, const struct vsock_packet *packet)
{
	if (packet->op != VIRTIO_VSOCK_OP_RESPONSE)
		return -EPROTO;
	vsock_mux_stop_timer(conn);
	conn->state = VSOCK_OPEN;
	conn->mux->config.counters->connections++;
	return vsock_host_accept(conn);
}

static int open_receives(struct vsock_conn *conn, const struct vsock_packet *packet,
			 struct iovec *payload, unsigned n)
{
	switch (packet->op) {
	case VIRTIO_VSOCK_OP_RW:
		conn->mux->config.counters->tx_bytes += packet->len;
		return vsock_conn_write(conn, payload, iov_truncate(payload, n, packet->len),
					packet->len);
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		vsock_conn_guest_shutdown(conn, packet->flags);
		return conn->shut_got == VSOCK_SHUT_BOTH ? -ESHUTDOWN : 0;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		conn->pending |= VSOCK_SEND_CREDIT_UPDATE;
		return 0;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		return 0;
	default:
		return -EPROTO;
	}
}

static void conn_receives(struct vsock_conn *conn, const struct vsock_packet *packet,
			  struct iovec *payload, unsigned n)
{
	int r = 0;

	if (packet->op == VIRTIO_VSOCK_OP_RST) {
		vsock_mux_leave_guest(conn);
		return;
	}
	take_credit(conn, packet);
	if (conn->state == VSOCK_CONNECTING)
		r = guest_answers(conn, packet);
	else if (conn->state == VSOCK_OPEN)
		r = open_receives(conn, packet, payload, n);
	if (r < 0)
		vsock_mux_die(conn);
	else
		vsock_mux_settle(conn);
}

void vsock_mux_receive(struct vsock_mux *mux, const struct vsock_packet *packet,
		       struct iovec *payload, unsigned n)
{
	struct vsock_conn *conn;

	mux->config.counters->tx_packets++;
	if (packet->src_cid != mux->config.guest_cid || packet->dst_cid != VSOCK_HOST_CID) {
		mux->config.counters->dropped++;
		return;
	}
	if (packet->type != VIRTIO_VSOCK_TYPE_STREAM) {
		refuse(mux, packet);
		return;
	}
	conn = vsock_mux_find(mux, packet->dst_port, packet->src_port);
	if (conn)
		conn_receives(conn, packet, payload, n);
	else if (packet->op == VIRTIO_VSOCK_OP_REQUEST)
		guest_connects(mux, packet);
	else
		refuse(mux, packet);
}

/* --- to the guest -------------------------------------------------------------------------- */

bool vsock_mux_pending(const struct vsock_mux *mux)
{
	return mux->reply_len || !list_empty(&mux->ready);
}

static void fill_reply(struct vsock_mux *mux, struct vsock_packet *packet)
{
	const struct vsock_reply *reply = &mux->replies[mux->reply_head];

	*packet = (struct vsock_packet){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = mux->config.guest_cid,
		.src_port = reply->host_port,
		.dst_port = reply->guest_port,
		.type = reply->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
	mux->reply_head = (mux->reply_head + 1) % VSOCK_REPLIES;
	mux->reply_len--;
	mux->config.counters->rx_packets++;
}

static void fill_header(struct vsock_conn *conn, struct vsock_packet *packet, uint16_t op,
			uint32_t flags, uint32_t len)
{
	*packet = (struct vsock_packet){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = conn->mux->config.guest_cid,
		.src_port = conn->host_port,
		.dst_port = conn->guest_port,
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = flags,
		.buf_alloc = VSOCK_BUFFER,
		.fwd_cnt = conn->fwd_cnt,
	};
	/* Every packet tells the credit. */
	conn->fwd_told = conn->fwd_cnt;
	conn->pending &= ~(unsigned)VSOCK_SEND_CREDIT_UPDATE;
	conn->mux->config.counters->rx_packets++;
	conn->mux->config.counters->rx_bytes += len;
}

/* Data into as many slots as it takes, with one read. Returns how many. */
static unsigned fill_data(struct vsock_conn *conn, struct vsock_slot *slots, unsigned n)
{
	struct iovec iov[VSOCK_SLOT_IOV];
	unsigned n_iov = 0, used = 0;
	uint32_t room = 0, left;

	if (!vsock_conn_can_read(conn))
		return 0;
	for (unsigned i = 0; i < n && n_iov + slots[i].n <= VSOCK_SLOT_IOV; i++) {
		memcpy(iov + n_iov, slots[i].payload, slots[i].n * sizeof(*iov));
		n_iov += slots[i].n;
		room += slots[i].room;
	}
	left = vsock_conn_read(conn, iov, n_iov, room);
	while (left) {
		uint32_t len = left < slots[used].room ? left : slots[used].room;

		fill_header(conn, &slots[used].packet, VIRTIO_VSOCK_OP_RW, 0, len);
		left -= len;
		used++;
	}
	return used;
}

static unsigned fill_from(struct vsock_conn *conn, struct vsock_slot *slots, unsigned n)
{
	unsigned used = 0;
	uint32_t flags;
	uint16_t op;

	/* Data tells the credit as well as an update does. */
	if (!(conn->pending & ~(unsigned)VSOCK_SEND_CREDIT_UPDATE))
		used = fill_data(conn, slots, n);
	if (!used) {
		op = vsock_conn_take_op(conn, &flags);
		if (op) {
			fill_header(conn, &slots[0].packet, op, flags, 0);
			used = 1;
		}
		if (op == VIRTIO_VSOCK_OP_RST) {
			vsock_mux_leave_guest(conn);
			return used;
		}
	}
	vsock_mux_settle(conn);
	return used;
}

unsigned vsock_mux_fill(struct vsock_mux *mux, struct vsock_slot *slots, unsigned n)
{
	unsigned used = 0;

	while (used < n) {
		struct vsock_conn *conn;

		if (mux->reply_len) {
			fill_reply(mux, &slots[used++].packet);
			continue;
		}
		if (list_empty(&mux->ready))
			break;
		/* Settling puts it back, at the end. */
		conn = list_entry(mux->ready.next, struct vsock_conn, ready_link);
		list_remove(&conn->ready_link);
		used += fill_from(conn, slots + used, n - used);
	}
	return used;
}

/* --- the whole ----------------------------------------------------------------------------- */

void vsock_mux_set_open(struct vsock_mux *mux, bool open)
{
	mux->open = open;
	if (open)
		return;
	vsock_mux_remove_all(mux);
	mux->reply_head = mux->reply_len = 0;
}

void vsock_mux_destroy(struct vsock_mux *mux)
{
	if (!mux)
		return;
	vsock_mux_remove_all(mux);
	vsock_host_close(mux);
	source_remove(mux->timer);
	free(mux);
}

int vsock_mux_create(struct loop *loop, const struct vsock_mux_config *config,
		     struct vsock_mux **ret)
{
	_cleanup_(vsock_mux_destroy_p) struct vsock_mux *mux = calloc(1, sizeof(*mux));
	int r;

	if (!mux)
		return -ENOMEM;
	mux->loop = loop;
	mux->config = *config;
	if (!mux->config.timeout_ns)
		mux->config.timeout_ns = VSOCK_TIMEOUT_NS;
	mux->listen_fd = -1;
	list_init(&mux->all);
	list_init(&mux->ready);
	list_init(&mux->timed);
	if (getrandom(&mux->seed, sizeof(mux->seed), 0) != sizeof(mux->seed))
		return -EIO;
	mux->seed |= 1;
	r = loop_add_timer(loop, vsock_mux_on_timer, mux, &mux->timer);
	if (r < 0)
		return r;
	r = vsock_host_listen(mux);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(mux);
	return 0;
}
