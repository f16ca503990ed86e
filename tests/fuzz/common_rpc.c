/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's bytes, as they are, into a connection that serves the Task service and waits for a
 * reply. */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "task.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rpc_call *held[64];
static size_t n_held;

static void handle(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	if (n_held < 64)
		held[n_held++] = call;
	else
		rpc_reply_empty(call);
}

static void handle_state(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	rpc_reply_empty(call);
}

static const struct rpc_method methods[] = {{"Wait", handle}, {"State", handle_state}};
static const struct rpc_service service = {&task__task__descriptor, NULL, methods, 2};
static const struct rpc_service *const services[] = {&service, NULL};

static void on_reply(const ProtobufCMessage *reply, const struct err *err, void *data)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_config config = {.services = services, .max_frame = 65536, .role = "fuzz"};
	Task__PauseRequest req = TASK__PAUSE_REQUEST__INIT;
	struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Pause", .request = &req.base};
	struct rpc_conn *conn = NULL;
	struct loop *loop = NULL;
	int sv[2];

	if (size > 65536 || loop_create(&loop) < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) < 0)
		__builtin_trap();
	if (rpc_conn_create(loop, sv[0], &config, &conn) < 0)
		__builtin_trap();
	rpc_invoke(conn, &inv, on_reply, NULL);
	if (write(sv[1], data, size) >= 0)
		shutdown(sv[1], SHUT_WR);
	for (int i = 0; i < 32; i++)
		loop_turn(loop, 0);
	for (size_t i = 0; i < n_held; i++)
		rpc_reply_empty(held[i]);
	n_held = 0;
	rpc_conn_close(conn);
	loop_destroy(loop);
	close(sv[1]);
	return 0;
}
