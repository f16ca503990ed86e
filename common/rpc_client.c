/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the asking side of a connection; see rpc.h.
 *
 * A struct wait stands for each call that has no answer yet. Whatever comes first, the response,
 * the timeout or the end of the connection, ends it: it is unlinked before its callback runs, so
 * that the callback may close the connection or call again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/loop.h"
#include "common/rpc_internal.h"
#include "common/version.h"
#include "ttrpc.pb-c.h"

struct wait {
	struct list link;
	uint32_t stream;
	const ProtobufCMessageDescriptor *output;
	struct source *timeout;
	rpc_done done;
	void *data;
	char method[48];
	int timeout_ms;
};

static void finish(struct wait *w, const ProtobufCMessage *reply, const struct err *err)
{
	list_remove(&w->link);
	source_remove(w->timeout);
	w->done(reply, err, w->data);
	free(w);
}

static void finish_err(struct wait *w, int code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s: %s", w->method, text);
	finish(w, NULL, &err);
}

static struct wait *find(struct rpc_conn *conn, uint32_t stream)
{
	for (struct list *it = conn->waits.next; it != &conn->waits; it = it->next)
		if (list_entry(it, struct wait, link)->stream == stream)
			return list_entry(it, struct wait, link);
	return NULL;
}

void rpc_client_abandon(struct rpc_conn *conn, int code, const char *text)
{
	while (!list_empty(&conn->waits))
		finish_err(list_entry(conn->waits.next, struct wait, link), code, text);
}

void rpc_client_refuse(struct rpc_conn *conn, uint32_t stream, int code, const char *text)
{
	struct wait *w = find(conn, stream);

	if (w)
		finish_err(w, code, text);
}

void rpc_forget(struct rpc_conn *conn, const void *data)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &conn->waits) {
		struct wait *w = list_entry(it, struct wait, link);

		if (w->data != data)
			continue;
		list_remove(&w->link);
		source_remove(w->timeout);
		free(w);
	}
}

/* An answer that nobody waits for any more (it timed out, or was forgotten) is dropped. */
void rpc_client_response(struct rpc_conn *conn, uint32_t stream, const void *body, size_t size)
{
	struct wait *w = find(conn, stream);
	Ttrpc__Response *response;
	ProtobufCMessage *reply;
	struct err err = ERR_INIT;

	if (!w)
		return;
	response = (Ttrpc__Response *)rpc_unpack(conn, &ttrpc__response__descriptor, body, size);
	if (!response) {
		finish_err(w, EPROTO, "the peer's response is malformed or too rich");
		return;
	}
	if (response->status && response->status->code != GRPC_OK) {
		/* The peer's own words: it made the message, at its leaf. */
		err_set(&err, err_from_grpc(response->status->code), "%s",
			response->status->message);
		finish(w, NULL, &err);
		protobuf_c_message_free_unpacked(&response->base, NULL);
		return;
	}
	reply = rpc_unpack(conn, w->output, response->payload.data, response->payload.len);
	protobuf_c_message_free_unpacked(&response->base, NULL);
	if (!reply) {
		finish_err(w, EPROTO, "the peer's reply is malformed or too rich");
		return;
	}
	finish(w, reply, NULL);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	struct wait *w = data;
	struct err err = ERR_INIT;

	err_set(&err, ETIMEDOUT, "%s: no answer within %d ms", w->method, w->timeout_ms);
	finish(w, NULL, &err);
}

/* --- asking ------------------------------------------------------------------------------- */

static int send_request(struct rpc_conn *conn, const struct rpc_invocation *inv, uint32_t stream)
{
	Ttrpc__Request request = TTRPC__REQUEST__INIT;
	Ttrpc__KeyValue kv = TTRPC__KEY_VALUE__INIT, *kvs = &kv;
	size_t size = protobuf_c_message_get_packed_size(inv->request);
	_cleanup_free_ uint8_t *payload = malloc(size ? size : 1);

	if (!payload)
		return -ENOMEM;
	protobuf_c_message_pack(inv->request, payload);
	request.service = (char *)(inv->service_name ? inv->service_name : inv->service->name);
	request.method = (char *)inv->method;
	request.payload.data = payload;
	request.payload.len = size;
	request.timeout_nano = (int64_t)inv->timeout_ms * 1000000;
	if (inv->metadata_key) {
		kv.key = (char *)inv->metadata_key;
		kv.value = (char *)inv->metadata_value;
		request.metadata = &kvs;
		request.n_metadata = 1;
	}
	return rpc_send(conn, TTRPC_REQUEST, stream, &request.base, inv->fds, inv->n_fds);
}

int rpc_invoke(struct rpc_conn *conn, const struct rpc_invocation *inv, rpc_done done, void *data)
{
	const ProtobufCMethodDescriptor *method = NULL;
	struct wait *w;
	int r;

	for (unsigned i = 0; i < inv->service->n_methods && !method; i++)
		if (strcmp(inv->service->methods[i].name, inv->method) == 0)
			method = &inv->service->methods[i];
	if (!method)
		return -ENOSYS;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	list_init(&w->link);
	w->stream = conn->next_stream;
	w->output = method->output;
	w->done = done;
	w->data = data;
	w->timeout_ms = inv->timeout_ms;
	strncpy(w->method, inv->method, sizeof(w->method) - 1);
	r = inv->timeout_ms > 0 ? loop_add_timer(conn->loop, on_timeout, w, &w->timeout) : 0;
	if (r == 0 && w->timeout)
		r = source_arm(w->timeout, (uint64_t)inv->timeout_ms * 1000000);
	if (r == 0)
		r = send_request(conn, inv, w->stream);
	if (r < 0) {
		source_remove(w->timeout);
		free(w);
		return r;
	}
	conn->next_stream += 2;
	list_append(&conn->waits, &w->link);
	return 0;
}

struct sync_call {
	bool done;
	const ProtobufCMessageDescriptor *output;
	ProtobufCMessage *reply;
	struct err err;
};

/* The reply is freed after the callback, so it is kept as a copy, by way of its own encoding. */
static void on_sync_done(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct sync_call *call = data;
	_cleanup_free_ uint8_t *buf = NULL;
	size_t size;

	call->done = true;
	if (err) {
		call->err = *err;
		return;
	}
	size = protobuf_c_message_get_packed_size(reply);
	buf = malloc(size ? size : 1);
	if (buf)
		protobuf_c_message_pack(reply, buf);
	call->reply = buf ? protobuf_c_message_unpack(reply->descriptor, NULL, size, buf) : NULL;
	if (!call->reply)
		err_set(&call->err, ENOMEM, "out of memory");
}

/* Turns the loop until the call started with on_sync_done is answered. */
static int wait_sync(struct rpc_conn *conn, int r, struct sync_call *call, const char *method,
		     ProtobufCMessage **ret_reply, struct err *err)
{
	struct loop *loop = conn->loop;

	if (r < 0)
		return err_set_errno(err, -r, "%s: cannot ask", method);
	while (!call->done) {
		r = loop_turn(loop, -1);
		if (r < 0)
			return err_set_errno(err, -r, "%s: event loop", method);
	}
	if (call->err.code) {
		if (err)
			*err = call->err;
		return -call->err.code;
	}
	if (ret_reply)
		*ret_reply = call->reply;
	else
		protobuf_c_message_free_unpacked(call->reply, NULL);
	return 0;
}

int rpc_call_sync(struct rpc_conn *conn, const struct rpc_invocation *inv,
		  ProtobufCMessage **ret_reply, struct err *err)
{
	struct sync_call call = {0};
	int r = rpc_invoke(conn, inv, on_sync_done, &call);

	return wait_sync(conn, r, &call, inv->method, ret_reply, err);
}

/* --- hello -------------------------------------------------------------------------------- */

struct hello {
	rpc_done done;
	void *data;
};

static void on_hello(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct hello *hello = data;
	const Ttrpc__HelloMessage *peer = (const Ttrpc__HelloMessage *)reply;
	struct err mismatch = ERR_INIT;

	if (peer && peer->major != RPC_MAJOR) {
		err_set(&mismatch, EBUSY,
			"the %.20s speaks protocol %u.%u (build %.40s), this program %d.%d (build "
			"%s): install both from one build, and restart what runs from the other",
			peer->role, peer->major, peer->minor, peer->build_id, RPC_MAJOR, RPC_MINOR,
			sbx_build_id);
		err = &mismatch;
		reply = NULL;
	}
	hello->done(reply, err, hello->data);
	free(hello);
}

int rpc_hello(struct rpc_conn *conn, int timeout_ms, rpc_done done, void *data)
{
	Ttrpc__HelloMessage hello = TTRPC__HELLO_MESSAGE__INIT;
	struct rpc_invocation inv = {
		.service = &ttrpc__peer__descriptor,
		.service_name = RPC_PEER_NAME,
		.method = RPC_HELLO_NAME,
		.request = &hello.base,
		.timeout_ms = timeout_ms,
	};
	struct hello *state = malloc(sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	*state = (struct hello){done, data};
	hello.major = RPC_MAJOR;
	hello.minor = RPC_MINOR;
	hello.build_id = (char *)sbx_build_id;
	hello.role = (char *)(conn->config.role ? conn->config.role : "");
	r = rpc_invoke(conn, &inv, on_hello, state);
	if (r < 0)
		free(state);
	return r;
}

int rpc_hello_sync(struct rpc_conn *conn, int timeout_ms, struct err *err)
{
	struct sync_call call = {0};
	int r = rpc_hello(conn, timeout_ms, on_sync_done, &call);

	return wait_sync(conn, r, &call, RPC_HELLO_NAME, NULL, err);
}
