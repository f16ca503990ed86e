/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: all vsock connections of a guest, whatever transport carries its packets.
 *
 * Host to guest: a process connects to "vsock" in the pod's socket directory, says "CONNECT <port>\n",
 * and reads "OK <our port>\n" once the guest has accepted; the socket is closed without a word
 * where it has not. Guest to host: a connect to CID 2, port P becomes a connect to "vsock_<P>".
 * What comes after that line is the stream.
 *
 * The transport gives each packet of the guest to vsock_mux_receive() and asks for packets with
 * vsock_mux_fill() when it was woken and has room. Connections with something to send stand in one
 * queue and take turns, a batch each. Nothing that a guest sends makes us allocate but a connection
 * (at most VSOCK_MAX_CONNS) and its ring. A packet that belongs to no connection is answered with RST
 * from a small queue; while that is full the transport takes no packets from the guest.
 *
 * Lists: all (owner of every connection); the table by (host port, guest port), seeded, so that a
 * guest cannot aim at one bucket; ready; timed, whose members have all got the same time, so that
 * the first is always the next to expire.
 */
#ifndef VMM_VSOCK_MUX_H
#define VMM_VSOCK_MUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/cleanup.h"
#include "vmm/vsock_packet.h"

struct loop;
struct vsock_mux;

#define VSOCK_MAX_CONNS  2048
#define VSOCK_TIMEOUT_NS 60000000000ull /* for a greeting, an answer, a good-bye */
#define VSOCK_SLOTS      16             /* packets of one fill */
#define VSOCK_SLOT_IOV   288            /* segments of one fill, of all its packets */

struct vsock_counters {
	uint64_t rx_packets, rx_bytes; /* to the guest, as the guest sees it */
	uint64_t tx_packets, tx_bytes; /* from the guest */
	uint64_t connections, refused, dropped;
};

/* Room for a packet in the guest; the payload segments of a fill's slots follow each other. */
struct vsock_slot {
	struct iovec *payload;
	unsigned n;
	uint32_t room;
	struct vsock_packet packet; /* out */
};

struct vsock_mux_config {
	int dirfd; /* borrowed */
	uint64_t guest_cid;
	void (*wake)(void *data); /* there is something to fill with */
	void *data;
	struct vsock_counters *counters; /* borrowed */
	uint64_t timeout_ns;             /* 0: VSOCK_TIMEOUT_NS */
};

/* Listens at once; loop is borrowed. -EADDRINUSE where "vsock" is there already. */
int vsock_mux_create(struct loop *loop, const struct vsock_mux_config *config,
		     struct vsock_mux **ret);
void vsock_mux_destroy(struct vsock_mux *mux);
DEFINE_CLEANUP(struct vsock_mux, vsock_mux_destroy)

/* Whether there is a guest to connect to. Closing drops every connection. */
void vsock_mux_set_open(struct vsock_mux *mux, bool open);

/* False: fill first. */
bool vsock_mux_can_receive(const struct vsock_mux *mux);
/* One packet from the guest; payload (used up) holds at least packet->len bytes. */
void vsock_mux_receive(struct vsock_mux *mux, const struct vsock_packet *packet,
		       struct iovec *payload, unsigned n);

bool vsock_mux_pending(const struct vsock_mux *mux);
/*
 * Fills up to n slots in order and returns how many it used. n is at most VSOCK_SLOTS, each slot's room
 * 1 to VSOCK_MAX_PAYLOAD bytes and exactly its segments' size, all segments at most VSOCK_SLOT_IOV.
 */
unsigned vsock_mux_fill(struct vsock_mux *mux, struct vsock_slot *slots, unsigned n);

#endif
