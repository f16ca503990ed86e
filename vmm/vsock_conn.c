/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vsock_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/loop.h"
#include "vmm/iov.h"

void vsock_conn_finish(struct vsock_conn *conn)
{
	source_remove(conn->source);
	conn->source = NULL;
	close_fd(&conn->fd);
	free(conn->ring);
	conn->ring = NULL;
	conn->ring_len = 0;
}

static void watch_out(struct vsock_conn *conn, bool on)
{
	if (conn->want_out == on || !conn->source)
		return;
	conn->want_out = on;
	/* Only while the ring holds something: a Unix socket reports every read of its peer. */
	source_set_events(conn->source,
			  EPOLLIN | EPOLLRDHUP | EPOLLET | (on ? (uint32_t)EPOLLOUT : 0));
}

static void shut(struct vsock_conn *conn, uint8_t flags)
{
	if (conn->state != VSOCK_OPEN || (conn->shut_sent & flags) == flags)
		return;
	conn->shut_sent |= flags;
	conn->pending |= VSOCK_SEND_SHUTDOWN;
}

static void drop_ring(struct vsock_conn *conn)
{
	free(conn->ring);
	conn->ring = NULL;
	conn->ring_head = conn->ring_len = 0;
}

/* --- guest to host ------------------------------------------------------------------------- */

static void forwarded(struct vsock_conn *conn, uint32_t n)
{
	conn->fwd_cnt += n;
	if (conn->state == VSOCK_OPEN && conn->fwd_cnt - conn->fwd_told >= VSOCK_BUFFER / 2)
		conn->pending |= VSOCK_SEND_CREDIT_UPDATE;
}

/* The guest may go on sending until it hears of it; all that goes nowhere. */
static void lose_sink(struct vsock_conn *conn)
{
	uint32_t lost = conn->ring_len;

	conn->no_sink = true;
	drop_ring(conn);
	watch_out(conn, false);
	forwarded(conn, lost);
	shut(conn, VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* Returns what the socket took, at most len. */
static uint32_t send_some(struct vsock_conn *conn, struct iovec *iov, unsigned n)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t r;

	do
		r = sendmsg(conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return (uint32_t)r;
	if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
		lose_sink(conn);
	return 0;
}

/* The ring's free part from offset after its end, or its filled part, as one or two segments. */
static unsigned ring_span(uint8_t *ring, uint32_t at, uint32_t len, struct iovec iov[2])
{
	uint32_t first = VSOCK_BUFFER - at;

	if (first > len)
		first = len;
	iov[0] = (struct iovec){.iov_base = ring + at, .iov_len = first};
	iov[1] = (struct iovec){.iov_base = ring, .iov_len = len - first};
	return len > first ? 2 : 1;
}

static int ring_append(struct vsock_conn *conn, const struct iovec *iov, unsigned n, uint32_t len)
{
	struct iovec span[2];
	unsigned spans;
	uint32_t at;

	if (!conn->ring) {
		conn->ring = malloc(VSOCK_BUFFER);
		if (!conn->ring)
			return -ENOMEM;
		conn->ring_head = 0;
	}
	at = (conn->ring_head + conn->ring_len) % VSOCK_BUFFER;
	spans = ring_span(conn->ring, at, len, span);
	iov_copy_out(iov, n, 0, span[0].iov_base, span[0].iov_len);
	if (spans == 2)
		iov_copy_out(iov, n, span[0].iov_len, span[1].iov_base, span[1].iov_len);
	conn->ring_len += len;
	watch_out(conn, true);
	return 0;
}

int vsock_conn_write(struct vsock_conn *conn, struct iovec *iov, unsigned n, uint32_t len)
{
	uint32_t sent = 0;

	if (conn->shut_got & VIRTIO_VSOCK_SHUTDOWN_SEND)
		return -EPROTO;
	if (len > VSOCK_BUFFER - conn->ring_len)
		return -ENOBUFS;
	if (!len)
		return 0;
	if (!conn->no_sink && !conn->ring_len) {
		sent = send_some(conn, iov, n);
		forwarded(conn, sent);
	}
	if (sent == len)
		return 0;
	if (conn->no_sink) {
		forwarded(conn, len - sent);
		return 0;
	}
	iov_skip(&iov, &n, sent);
	return ring_append(conn, iov, n, len - sent);
}

static void end_sink(struct vsock_conn *conn)
{
	if ((conn->shut_got & VIRTIO_VSOCK_SHUTDOWN_SEND) && !conn->ring_len && conn->fd >= 0)
		shutdown(conn->fd, SHUT_WR);
}

void vsock_conn_flush(struct vsock_conn *conn)
{
	while (conn->ring_len) {
		struct iovec span[2];
		unsigned n = ring_span(conn->ring, conn->ring_head, conn->ring_len, span);
		uint32_t sent = send_some(conn, span, n);

		if (!sent)
			return; /* full, or no sink and so no ring either */
		conn->ring_head = (conn->ring_head + sent) % VSOCK_BUFFER;
		conn->ring_len -= sent;
		forwarded(conn, sent);
	}
	drop_ring(conn);
	watch_out(conn, false);
	end_sink(conn);
}

void vsock_conn_guest_shutdown(struct vsock_conn *conn, uint32_t flags)
{
	uint8_t added = (uint8_t)(flags & VSOCK_SHUT_BOTH) & (uint8_t)~conn->shut_got;

	conn->shut_got |= added;
	if (added & VIRTIO_VSOCK_SHUTDOWN_SEND)
		end_sink(conn);
	if ((added & VIRTIO_VSOCK_SHUTDOWN_RCV) && conn->fd >= 0)
		shutdown(conn->fd, SHUT_RD);
}

void vsock_conn_hangup(struct vsock_conn *conn)
{
	if (!conn->no_sink)
		lose_sink(conn);
	if (conn->eof)
		shut(conn, VSOCK_SHUT_BOTH);
}

/* --- host to guest ------------------------------------------------------------------------- */

/* Bytes that the guest has room for. */
static uint32_t credit_of(const struct vsock_conn *conn)
{
	uint32_t in_flight = conn->rx_cnt - conn->peer_fwd_cnt;

	/* A guest whose counters make no sense gets nothing. */
	return in_flight < conn->peer_buf_alloc ? conn->peer_buf_alloc - in_flight : 0;
}

static bool may_read(const struct vsock_conn *conn)
{
	return conn->state == VSOCK_OPEN && conn->readable && !conn->eof &&
	       !(conn->shut_got & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

bool vsock_conn_can_read(const struct vsock_conn *conn)
{
	return may_read(conn) && credit_of(conn);
}

bool vsock_conn_wants(struct vsock_conn *conn)
{
	if (!may_read(conn))
		return conn->pending;
	if (credit_of(conn)) {
		conn->credit_asked = false;
		return true;
	}
	if (!conn->credit_asked) {
		conn->credit_asked = true;
		conn->pending |= VSOCK_SEND_CREDIT_REQUEST;
	}
	return conn->pending;
}

uint32_t vsock_conn_read(struct vsock_conn *conn, struct iovec *iov, unsigned n, uint32_t max)
{
	struct msghdr msg = {.msg_iov = iov};
	uint32_t credit = credit_of(conn);
	ssize_t r;

	if (!may_read(conn) || !credit)
		return 0;
	if (max > credit)
		max = credit;
	msg.msg_iovlen = iov_truncate(iov, n, max);
	do
		r = recvmsg(conn->fd, &msg, MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN) {
		conn->readable = false;
		return 0;
	}
	if (r <= 0) {
		conn->eof = true;
		shut(conn, conn->no_sink ? VSOCK_SHUT_BOTH : VIRTIO_VSOCK_SHUTDOWN_SEND);
		return 0;
	}
	/* Empty now; what comes later is an edge. After a hang-up there is no later edge. */
	if ((size_t)r < iov_size(msg.msg_iov, (unsigned)msg.msg_iovlen) && !conn->hangup)
		conn->readable = false;
	conn->rx_cnt += (uint32_t)r;
	return (uint32_t)r;
}

uint16_t vsock_conn_take_op(struct vsock_conn *conn, uint32_t *ret_flags)
{
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_REQUEST,
		VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_RST,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE,
		VIRTIO_VSOCK_OP_CREDIT_REQUEST,
		VIRTIO_VSOCK_OP_SHUTDOWN,
	};

	*ret_flags = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		if (!(conn->pending & 1u << i))
			continue;
		conn->pending &= ~(1u << i);
		if (ops[i] == VIRTIO_VSOCK_OP_SHUTDOWN)
			*ret_flags = conn->shut_sent;
		return ops[i];
	}
	return 0;
}
