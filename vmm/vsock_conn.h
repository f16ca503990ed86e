/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: one vsock connection, between a Unix socket and the guest.
 *
 * Guest to host. The guest may have VSOCK_BUFFER bytes in flight. What arrives goes straight from the
 * guest's memory into the socket; only what the socket does not take is copied into the ring, which
 * exists only as long as it holds something. fwd_cnt counts what has left for the socket, so
 * "received - fwd_cnt" is ring_len at any time, and a guest that sends more than its credit is found
 * out by the ring's free space alone. The guest hears of new credit when half the buffer has been
 * forwarded since it was last told.
 *
 * Host to guest. At most peer_buf_alloc - (rx_cnt - peer_fwd_cnt) bytes are read from the socket,
 * straight into the guest's buffers; without credit nothing is read, and the socket holds the sender
 * back. All these counters wrap.
 *
 * The socket is watched edge-triggered: readable stays set until a read has found it empty.
 *
 * The end. shut_got and shut_sent are the SHUTDOWN flags of either side, from the point of view of
 * the one who sends them: RCV "I receive no more", SEND "I send no more". A guest that has said both
 * is answered with RST; a guest that was told both has some seconds to send one. What the guest sent
 * before its end still reaches the host: the connection lingers without a guest until its ring is
 * empty.
 */
#ifndef VMM_VSOCK_CONN_H
#define VMM_VSOCK_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/list.h"
#include "vmm/vsock_packet.h"

struct loop;
struct source;
struct vsock_mux;

#define VSOCK_BUFFER (128u << 10) /* what we announce as buf_alloc */

enum vsock_state {
	VSOCK_GREETING,   /* the host's process has yet to say CONNECT */
	VSOCK_CONNECTING, /* the guest has yet to answer our REQUEST */
	VSOCK_OPEN,
	VSOCK_DEAD,   /* for the guest: only the RST is still to be sent */
	VSOCK_LINGER, /* unknown to the guest: only the ring is still to be written */
};

/* What is to be sent, apart from data, as bits; in the order in which they are sent. */
enum vsock_pending {
	VSOCK_SEND_REQUEST = 1 << 0,
	VSOCK_SEND_RESPONSE = 1 << 1,
	VSOCK_SEND_RST = 1 << 2,
	VSOCK_SEND_CREDIT_UPDATE = 1 << 3,
	VSOCK_SEND_CREDIT_REQUEST = 1 << 4,
	VSOCK_SEND_SHUTDOWN = 1 << 5,
};

struct vsock_conn {
	/* The mux's. */
	struct vsock_mux *mux;
	struct list all_link, ready_link, timed_link;
	struct vsock_conn *hash_next;
	uint64_t deadline;
	uint32_t host_port, guest_port;
	enum vsock_state state;

	int fd; /* -1: closed */
	struct source *source;
	bool readable;
	bool hangup;  /* the peer has shut its side down: a short read is not the end */
	bool eof;     /* all that the host sent has been read */
	bool no_sink; /* the host receives no more */
	bool want_out;

	unsigned pending; /* enum vsock_pending */
	uint8_t shut_sent, shut_got;

	uint32_t rx_cnt, peer_buf_alloc, peer_fwd_cnt;
	bool credit_asked;
	uint32_t fwd_cnt, fwd_told;
	uint8_t *ring; /* NULL while ring_len is 0 */
	uint32_t ring_head, ring_len;
};

/* Frees what the connection holds, not the struct. */
void vsock_conn_finish(struct vsock_conn *conn);

/* --- guest to host ------------------------------------------------------------------------- */

/* Takes a packet's payload. -ENOBUFS: more than its credit; -EPROTO: after its own end; -ENOMEM. */
int vsock_conn_write(struct vsock_conn *conn, struct iovec *iov, unsigned n, uint32_t len);
/* Writes what the ring holds, as far as the socket takes it. */
void vsock_conn_flush(struct vsock_conn *conn);
/* The guest's SHUTDOWN. */
void vsock_conn_guest_shutdown(struct vsock_conn *conn, uint32_t flags);
/* Nobody on the host reads or writes any more. */
void vsock_conn_hangup(struct vsock_conn *conn);

/* --- host to guest ------------------------------------------------------------------------- */

/* Whether the connection has a packet for the guest. */
bool vsock_conn_wants(struct vsock_conn *conn);
/* Whether there may be data, and the guest has room for some. */
bool vsock_conn_can_read(const struct vsock_conn *conn);
/* Reads at most what iov holds and credit allows. Returns the bytes, 0: nothing now or ever. */
uint32_t vsock_conn_read(struct vsock_conn *conn, struct iovec *iov, unsigned n, uint32_t max);
/* Takes the next pending operation: VIRTIO_VSOCK_OP_x, or 0. *ret_flags are the packet's. */
uint16_t vsock_conn_take_op(struct vsock_conn *conn, uint32_t *ret_flags);

#endif
