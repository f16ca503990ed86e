/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the answering side of a connection; see rpc.h.
 *
 * A struct rpc_call lives from its request until the handler ends it, however long that takes; it
 * keeps the unpacked request. Its connection may go first (conn is NULL then), or its deadline may
 * pass (answered is set): the handler's answer then goes nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/rpc_internal.h"
#include "common/utf8.h"
#include "common/version.h"
#include "ttrpc.pb-c.h"

struct rpc_call {
	struct list link;
	struct rpc_conn *conn;
	uint32_t stream;
	size_t size; /* of the request's frame */
	bool answered;
	struct source *deadline;
	Ttrpc__Request *envelope;
	ProtobufCMessage *req;
	int fds[IO_MAX_FDS];
	size_t n_fds;
};

static void detach(struct rpc_call *call)
{
	source_remove(call->deadline);
	call->deadline = NULL;
	if (!call->conn)
		return;
	list_remove(&call->link);
	call->conn->n_calls--;
	call->conn->held_bytes -= call->size;
	call->conn = NULL;
}

static void call_free(struct rpc_call *call)
{
	detach(call);
	for (size_t i = 0; i < call->n_fds; i++)
		if (call->fds[i] >= 0)
			close(call->fds[i]);
	if (call->req)
		protobuf_c_message_free_unpacked(call->req, NULL);
	protobuf_c_message_free_unpacked(&call->envelope->base, NULL);
	free(call);
}

void rpc_server_abandon(struct rpc_conn *conn)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &conn->calls)
		detach(list_entry(it, struct rpc_call, link));
}

/* A response that cannot even be queued ends the connection: the peer would wait for ever. */
static void respond(struct rpc_conn *conn, uint32_t stream, Ttrpc__Response *response)
{
	int r = rpc_send(conn, TTRPC_RESPONSE, stream, &response->base, NULL, 0);

	if (r == -EMSGSIZE)
		rpc_server_refuse(conn, stream, GRPC_RESOURCE_EXHAUSTED, "the reply is too long");
	else if (r < 0)
		rpc_conn_fail(conn, r);
}

void rpc_server_refuse(struct rpc_conn *conn, uint32_t stream, enum grpc_code code,
		       const char *text)
{
	Ttrpc__Status status = TTRPC__STATUS__INIT;
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;
	struct err clean = ERR_INIT;

	/* Go's clients refuse the whole answer otherwise, and its code with it. */
	err_set(&clean, EIO, "%s", text);
	utf8_clean(clean.msg);
	status.code = (int32_t)code;
	status.message = clean.msg;
	response.status = &status;
	respond(conn, stream, &response);
}

void rpc_reply(struct rpc_call *call, const ProtobufCMessage *reply)
{
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;
	size_t size = protobuf_c_message_get_packed_size(reply);

	if (call->conn && !call->answered) {
		response.payload.data = malloc(size ? size : 1);
		if (response.payload.data) {
			response.payload.len =
				protobuf_c_message_pack(reply, response.payload.data);
			respond(call->conn, call->stream, &response);
			free(response.payload.data);
		} else {
			rpc_conn_fail(call->conn, -ENOMEM);
		}
	}
	call_free(call);
}

void rpc_reply_empty(struct rpc_call *call)
{
	Ttrpc__Response response = TTRPC__RESPONSE__INIT;

	if (call->conn && !call->answered)
		respond(call->conn, call->stream, &response);
	call_free(call);
}

void rpc_fail(struct rpc_call *call, const struct err *err)
{
	if (call->conn && !call->answered)
		rpc_server_refuse(call->conn, call->stream, err_to_grpc(err->code), err->msg);
	call_free(call);
}

struct rpc_conn *rpc_call_conn(struct rpc_call *call)
{
	return call->conn;
}

void *rpc_call_data(struct rpc_call *call)
{
	return call->conn ? call->conn->config.data : NULL;
}

const char *rpc_call_metadata(struct rpc_call *call, const char *key)
{
	for (size_t i = 0; i < call->envelope->n_metadata; i++)
		if (strcmp(call->envelope->metadata[i]->key, key) == 0)
			return call->envelope->metadata[i]->value;
	return NULL;
}

int rpc_call_take_fd(struct rpc_call *call, size_t index)
{
	return index < call->n_fds ? TAKE_FD(call->fds[index]) : -1;
}

/* --- a request ---------------------------------------------------------------------------- */

static void on_deadline(struct source *source, uint32_t events, void *data)
{
	struct rpc_call *call = data;

	call->answered = true;
	rpc_server_refuse(call->conn, call->stream, GRPC_DEADLINE_EXCEEDED,
			  "the request's deadline has passed");
	detach(call);
}

/* Answers a hello: ours is the reply, whoever's minor is smaller is spoken. */
static void handle_hello(struct rpc_call *call)
{
	Ttrpc__HelloMessage reply = TTRPC__HELLO_MESSAGE__INIT;
	const Ttrpc__HelloMessage *hello = (const Ttrpc__HelloMessage *)call->req;

	reply.major = RPC_MAJOR;
	reply.minor = RPC_MINOR;
	reply.build_id = (char *)sbx_build_id;
	reply.role = (char *)(call->conn->config.role ? call->conn->config.role : "");
	if (hello->major == RPC_MAJOR)
		call->conn->hello_seen = true;
	rpc_reply(call, &reply.base);
}

static const struct rpc_service *find_service(const struct rpc_conn *conn, const char *name)
{
	for (const struct rpc_service *const *s = conn->config.services; s && *s; s++)
		if (strcmp((*s)->name ? (*s)->name : (*s)->desc->name, name) == 0)
			return *s;
	return NULL;
}

static const ProtobufCMethodDescriptor *find_method(const ProtobufCServiceDescriptor *desc,
						    const char *name)
{
	for (unsigned i = 0; i < desc->n_methods; i++)
		if (strcmp(desc->methods[i].name, name) == 0)
			return &desc->methods[i];
	return NULL;
}

static rpc_handler find_handler(const struct rpc_service *service, const char *method)
{
	for (size_t i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, method) == 0)
			return service->methods[i].handle;
	return NULL;
}

/* Finds who answers; *ret_handle stays NULL for a hello, which the connection answers itself. */
static const ProtobufCMethodDescriptor *find(const struct rpc_call *call, rpc_handler *ret_handle,
					     struct err *err)
{
	const struct rpc_conn *conn = call->conn;
	const Ttrpc__Request *env = call->envelope;
	const ProtobufCMethodDescriptor *method = NULL;
	const struct rpc_service *service;

	if (strcmp(env->service, RPC_PEER_NAME) == 0) {
		method = find_method(&ttrpc__peer__descriptor, env->method);
	} else if (conn->config.need_hello && !conn->hello_seen) {
		err_set(err, EBUSY, "a hello with protocol version %d must come first", RPC_MAJOR);
		return NULL;
	} else {
		service = find_service(conn, env->service);
		*ret_handle = service ? find_handler(service, env->method) : NULL;
		if (*ret_handle)
			method = find_method(service->desc, env->method);
	}
	if (!method)
		err_set(err, ENOSYS, "%.100s/%.100s is not implemented", env->service, env->method);
	return method;
}

/* Unpacks the payload and hands the call over. Consumes call. */
static void route(struct rpc_call *call)
{
	const Ttrpc__Request *env = call->envelope;
	const ProtobufCMethodDescriptor *method;
	rpc_handler handle = NULL;
	struct err err = ERR_INIT;

	method = find(call, &handle, &err);
	if (!method) {
		rpc_fail(call, &err);
		return;
	}
	call->req = rpc_unpack(call->conn, method->input, env->payload.data, env->payload.len);
	if (!call->req) {
		err_set(&err, EINVAL, "%.100s: the request is malformed or too rich", env->method);
		rpc_fail(call, &err);
		return;
	}
	if (handle)
		handle(call, call->req, call->conn->config.data);
	else
		handle_hello(call);
}

static bool stream_open(const struct rpc_conn *conn, uint32_t stream)
{
	for (struct list *it = conn->calls.next; it != &conn->calls; it = it->next)
		if (list_entry(it, struct rpc_call, link)->stream == stream)
			return true;
	return false;
}

void rpc_server_request(struct rpc_conn *conn, uint32_t stream, const void *body, size_t size)
{
	Ttrpc__Request *env;
	struct rpc_call *call;

	if (stream % 2 == 0 || stream_open(conn, stream)) {
		rpc_server_refuse(conn, stream, GRPC_INVALID_ARGUMENT,
				  "the stream id must be odd and not in use");
		return;
	}
	if (conn->n_calls >= conn->config.max_calls || conn->held_bytes + size > RPC_MAX_HELD) {
		rpc_server_refuse(conn, stream, GRPC_RESOURCE_EXHAUSTED, "too many open calls");
		return;
	}
	env = (Ttrpc__Request *)rpc_unpack(conn, &ttrpc__request__descriptor, body, size);
	call = env ? calloc(1, sizeof(*call)) : NULL;
	if (!call) {
		if (env)
			protobuf_c_message_free_unpacked(&env->base, NULL);
		rpc_server_refuse(conn, stream, GRPC_INVALID_ARGUMENT, "the request is malformed");
		return;
	}
	call->conn = conn;
	call->stream = stream;
	call->size = size;
	call->envelope = env;
	call->n_fds = conn->n_fds;
	memcpy(call->fds, conn->fds, sizeof(call->fds));
	conn->n_fds = 0;
	list_append(&conn->calls, &call->link);
	conn->n_calls++;
	conn->held_bytes += size;
	if (env->timeout_nano > 0 &&
	    loop_add_timer(conn->loop, on_deadline, call, &call->deadline) == 0)
		source_arm(call->deadline, (uint64_t)env->timeout_nano);
	route(call);
}
