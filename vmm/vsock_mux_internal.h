/* SPDX-License-Identifier: Apache-2.0 */
/* What vsock_mux.c (packets), vsock_table.c (connections) and vsock_host.c (sockets) share. */
#ifndef VMM_VSOCK_MUX_INTERNAL_H
#define VMM_VSOCK_MUX_INTERNAL_H

#include "common/list.h"
#include "vmm/vsock_conn.h"
#include "vmm/vsock_mux.h"

#define VSOCK_BUCKETS 1024
#define VSOCK_REPLIES 256

struct vsock_reply {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock_mux {
	struct loop *loop;
	struct vsock_mux_config config;
	int listen_fd;
	struct source *listener, *timer;
	bool open;
	bool deaf; /* out of descriptors: the listener rests until the timer fires */
	uint32_t next_port;
	uint64_t seed;
	unsigned n_conns;
	struct list all, ready, timed;
	struct vsock_conn *table[VSOCK_BUCKETS];
	unsigned reply_head, reply_len;
	struct vsock_reply replies[VSOCK_REPLIES];
};

/* --- vsock_table.c ------------------------------------------------------------------------- */

/* A connection over fd (taken over, also on failure), in state, in no table. */
int vsock_mux_add(struct vsock_mux *mux, int fd, enum vsock_state state, struct vsock_conn **ret);
void vsock_mux_remove(struct vsock_conn *conn);
void vsock_mux_remove_all(struct vsock_mux *mux);
struct vsock_conn *vsock_mux_find(struct vsock_mux *mux, uint32_t host_port, uint32_t guest_port);
/* -EEXIST where the two ports are taken. */
int vsock_mux_name(struct vsock_conn *conn, uint32_t host_port, uint32_t guest_port);
void vsock_mux_start_timer(struct vsock_conn *conn);
void vsock_mux_stop_timer(struct vsock_conn *conn);
void vsock_mux_arm(struct vsock_mux *mux);
void vsock_mux_on_timer(struct source *source, uint32_t events, void *data);
/* The guest has no part in it any more; what it sent may still have to reach the host. */
void vsock_mux_leave_guest(struct vsock_conn *conn);
/* The guest gets a RST; then as vsock_mux_leave_guest(). */
void vsock_mux_die(struct vsock_conn *conn);
/* After any change: queues the connection for what it now wants, or ends it. */
void vsock_mux_settle(struct vsock_conn *conn);

/* --- vsock_host.c -------------------------------------------------------------------------- */

int vsock_host_listen(struct vsock_mux *mux);
void vsock_host_hear_again(struct vsock_mux *mux);
void vsock_host_close(struct vsock_mux *mux);
/* Reads on in the greeting; the connection may be gone afterwards. */
void vsock_host_greet(struct vsock_conn *conn);
/* Tells the process that it is connected. */
int vsock_host_accept(struct vsock_conn *conn);
/* Connects to the process that waits for the guest's connections to port. Returns the fd. */
int vsock_host_connect(struct vsock_mux *mux, uint32_t port);

#endif
