/* SPDX-License-Identifier: Apache-2.0 */
/* What the three files of rpc.h share: rpc_conn.c moves frames, rpc_server.c answers, rpc_client.c
 * asks. */
#ifndef COMMON_RPC_INTERNAL_H
#define COMMON_RPC_INTERNAL_H

#include "common/io.h"
#include "common/list.h"
#include "common/rpc.h"
#include "common/ttrpc.h"

struct source;

#define RPC_MAX_CALLS  1024
#define RPC_MAX_HELD   (64u << 20)
#define RPC_MAX_QUEUED (1u << 20)
#define RPC_PEER_NAME  "sbx.Peer"
#define RPC_HELLO_NAME "Hello"

struct rpc_conn {
	struct loop *loop;
	struct rpc_config config;
	int fd;
	struct source *io, *defer;
	unsigned refs;
	bool closed; /* by the owner: nothing may call out any more */
	bool failed; /* by the peer or the socket: why */
	bool flush_close;
	bool hello_seen; /* the peer's */
	int why;

	/* The frame being read. */
	uint8_t head[TTRPC_HEADER_SIZE];
	size_t head_got;
	struct ttrpc_header header;
	uint8_t *body; /* NULL while discarding */
	size_t body_got;
	int fds[IO_MAX_FDS];
	size_t n_fds;

	struct list out; /* of struct frame */
	size_t out_bytes;
	uint32_t events;

	struct list calls; /* of struct rpc_call, open */
	unsigned n_calls;
	size_t held_bytes; /* of their requests, as they came */
	struct list waits; /* of struct wait, our own calls */
	uint32_t next_stream;
};

void rpc_conn_ref(struct rpc_conn *conn);
void rpc_conn_unref(struct rpc_conn *conn);

/* Unpacks what the peer sent, within the connection's budget. */
ProtobufCMessage *rpc_unpack(const struct rpc_conn *conn, const ProtobufCMessageDescriptor *desc,
			     const void *data, size_t size);
/* Queues a frame that holds msg. -EMSGSIZE where it would be too long for any peer. */
int rpc_send(struct rpc_conn *conn, uint8_t type, uint32_t stream, const ProtobufCMessage *msg,
	     const int *fds, size_t n_fds);
/* Ends the connection at the end of this turn. */
void rpc_conn_fail(struct rpc_conn *conn, int why);

/* A whole frame has come; body is valid during the call. */
void rpc_server_request(struct rpc_conn *conn, uint32_t stream, const void *body, size_t size);
void rpc_server_refuse(struct rpc_conn *conn, uint32_t stream, enum grpc_code code,
		       const char *text);
void rpc_server_abandon(struct rpc_conn *conn);
void rpc_client_response(struct rpc_conn *conn, uint32_t stream, const void *body, size_t size);
void rpc_client_refuse(struct rpc_conn *conn, uint32_t stream, int code, const char *text);
void rpc_client_abandon(struct rpc_conn *conn, int code, const char *text);

#endif
