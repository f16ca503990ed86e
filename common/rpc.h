/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: ttrpc connections on the event loop, client and server in one.
 *
 * An rpc_conn owns one connected stream socket. Where services are given it answers requests; it
 * may itself call the peer at any time. Requests of a connection are dispatched in the order of
 * arrival and may be answered later and in any order: the handler keeps its struct rpc_call and
 * ends it with exactly one rpc_reply() or rpc_fail(). A call whose connection is gone stays valid
 * until then; its reply goes nowhere.
 *
 * Limits, so that no peer can make us grow: a frame is at most max_frame bytes (a larger one is
 * read and discarded and answered with ResourceExhausted); at most max_calls are open per connection,
 * whose requests were no more than 64 MiB together; unpacking has a budget of 16 times max_frame and at least 64 KiB; while more than 1
 * MiB waits to be written nothing more is read; descriptors that came with a request and were not
 * taken are closed.
 *
 * Deadlines: timeout_nano of a request ends the call with DeadlineExceeded; a late reply of the
 * handler goes nowhere. A client call with timeout_ms fails with -ETIMEDOUT.
 *
 * Descriptors (SCM_RIGHTS, Unix sockets only) are attached to the first byte of a request's frame.
 * They are accepted only where fds_allowed.
 *
 * Versions: an sbx peer calls rpc_hello() first; the other side answers it by itself. With
 * need_hello, any other request before it is FailedPrecondition. Foreign peers (containerd) do not
 * say hello.
 */
#ifndef COMMON_RPC_H
#define COMMON_RPC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"

struct loop;
struct rpc_call;
struct rpc_conn;

#define RPC_MAJOR 1
#define RPC_MINOR 0

/* req is of the method's input type and lives until the call is ended. */
typedef void (*rpc_handler)(struct rpc_call *call, const ProtobufCMessage *req, void *data);

struct rpc_method {
	const char *name;
	rpc_handler handle;
};

/* A service as generated from proto/, and its handlers; one that is missing is Unimplemented. */
struct rpc_service {
	const ProtobufCServiceDescriptor *desc;
	const char *name; /* on the wire; NULL: the descriptor's own */
	const struct rpc_method *methods;
	size_t n_methods;
};

struct rpc_config {
	const struct rpc_service *const *services; /* NULL-terminated, or NULL: a pure client */
	void *data;                                /* for handlers and on_close */
	/* The connection has ended (why: 0 or -errno); called once, never from within
	 * rpc_conn_close. */
	void (*on_close)(struct rpc_conn *conn, int why, void *data);
	size_t max_frame;   /* of what the peer sends; 0: TTRPC_MAX_DATA */
	unsigned max_calls; /* open at a time; 0: 1024 */
	const char *role;   /* what we say of ourselves in a hello */
	bool fds_allowed;
	bool need_hello;
};

/* Takes fd over, also on failure. */
int rpc_conn_create(struct loop *loop, int fd, const struct rpc_config *config,
		    struct rpc_conn **ret);
/* Fails every open client call with -ECANCELED, drops the rest, frees. NULL is a no-op. */
void rpc_conn_close(struct rpc_conn *conn);
DEFINE_CLEANUP(struct rpc_conn, rpc_conn_close)

/* Closes once everything queued has been written. */
void rpc_conn_close_after_flush(struct rpc_conn *conn);

/* --- server side -------------------------------------------------------------------------- */

void rpc_reply(struct rpc_call *call, const ProtobufCMessage *reply);
void rpc_reply_empty(struct rpc_call *call);
/* err->code picks the gRPC code. */
void rpc_fail(struct rpc_call *call, const struct err *err);
/* NULL once nobody waits for the answer: the connection has gone, or the deadline has passed. */
struct rpc_conn *rpc_call_conn(struct rpc_call *call);
/* What the handler got as its data; NULL once nobody waits for the answer. */
void *rpc_call_data(struct rpc_call *call);
/* The value of a metadata key of the request, or NULL. */
const char *rpc_call_metadata(struct rpc_call *call, const char *key);
/* The index-th descriptor that came with the request, now the caller's; -1 where there is none. */
int rpc_call_take_fd(struct rpc_call *call, size_t index);

/* --- client side -------------------------------------------------------------------------- */

/*
 * reply is of the method's output type and freed after the callback; NULL where err is set. Called
 * exactly once per rpc_invoke() that returned 0, never from within it. However a connection ends, the calls
 * that are open fail with ECONNRESET; on_close says why.
 */
typedef void (*rpc_done)(const ProtobufCMessage *reply, const struct err *err, void *data);

struct rpc_invocation {
	const ProtobufCServiceDescriptor *service;
	const char *service_name; /* NULL: the descriptor's own */
	const char *method;
	const ProtobufCMessage *request;
	const int *fds; /* sent along, stay the caller's */
	size_t n_fds;
	int timeout_ms; /* 0: none */
	const char *metadata_key, *metadata_value;
};

int rpc_invoke(struct rpc_conn *conn, const struct rpc_invocation *inv, rpc_done done, void *data);
/* data is about to be freed: calls that were started with it have no callback any more. The peer may be slow
 * with their answers, or never give them. */
void rpc_forget(struct rpc_conn *conn, const void *data);

/*
 * The same, turning the loop until the answer is there; for clients that have nothing else to do.
 * *ret_reply (may be NULL) is freed with protobuf_c_message_free_unpacked(reply, NULL).
 */
int rpc_call_sync(struct rpc_conn *conn, const struct rpc_invocation *inv,
		  ProtobufCMessage **ret_reply, struct err *err);

/* Says hello; done gets the peer's HelloMessage or an error that names both versions. */
int rpc_hello(struct rpc_conn *conn, int timeout_ms, rpc_done done, void *data);
int rpc_hello_sync(struct rpc_conn *conn, int timeout_ms, struct err *err);

#endif
