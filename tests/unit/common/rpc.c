/* SPDX-License-Identifier: Apache-2.0 */
/* Two ends of a socket pair on one loop: a server with a Task service, and a client or raw bytes.
 */
#include "common/rpc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/ttrpc.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"

static struct loop *loop;
static struct rpc_conn *server, *client;
static struct rpc_call *held; /* the last of those that are kept */
static struct rpc_call *kept[32];
static unsigned n_kept, n_refused;
static int raw = -1; /* the client's end where there is no client */
static int server_closed, got_fd = -1;

static void handle_state(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	const Task__StateRequest *in = (const Task__StateRequest *)req;
	Task__StateResponse out = TASK__STATE_RESPONSE__INIT;
	struct err err = ERR_INIT;

	if (strcmp(in->id, "none") == 0) {
		err_set(&err, ENOENT, "no container none");
		rpc_fail(call, &err);
		return;
	}
	out.id = in->id;
	out.pid = 42;
	rpc_reply(call, &out.base);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	held = call;
	if (n_kept < ARRAY_SIZE(kept))
		kept[n_kept++] = call;
}

static void handle_create(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	got_fd = rpc_call_take_fd(call, 1);
	rpc_reply_empty(call);
}

static void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *req, void *data)
{
	rpc_conn_close(server);
	server = NULL;
	rpc_reply_empty(call);
}

static const struct rpc_method methods[] = {
	{"State", handle_state},
	{"Wait", handle_wait},
	{"Create", handle_create},
	{"Shutdown", handle_shutdown},
};
static const struct rpc_service service = {&task__task__descriptor, NULL, methods, 4};
static const struct rpc_service *const services[] = {&service, NULL};

static void on_server_close(struct rpc_conn *conn, int why, void *data)
{
	server_closed++;
	rpc_conn_close(conn);
	server = NULL;
}

static void start(struct rpc_config config, bool with_client)
{
	const struct rpc_config client_config = {.role = "cli"};
	int sv[2];

	config.services = services;
	config.on_close = on_server_close;
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(rpc_conn_create(loop, sv[0], &config, &server), 0);
	if (with_client)
		cr_assert_eq(rpc_conn_create(loop, sv[1], &client_config, &client), 0);
	else
		raw = sv[1];
}

static void teardown(void)
{
	rpc_conn_close(client);
	rpc_conn_close(server);
	loop_destroy(loop);
	if (raw >= 0)
		close(raw);
}

TestSuite(rpc, .fini = teardown);

static int state(const char *id, Task__StateResponse **ret, struct err *err)
{
	Task__StateRequest req = TASK__STATE_REQUEST__INIT;
	struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "State", .request = &req.base};

	req.id = (char *)id;
	return rpc_call_sync(client, &inv, (ProtobufCMessage **)ret, err);
}

Test(rpc, a_call_and_its_answer)
{
	Task__StateResponse *out = NULL;
	struct err err = ERR_INIT;

	start((struct rpc_config){0}, true);
	cr_assert_eq(state("box", &out, &err), 0, "%s", err.msg);
	cr_assert_str_eq(out->id, "box");
	cr_assert_eq(out->pid, 42);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

Test(rpc, an_error_comes_back_as_code_and_text)
{
	struct err err = ERR_INIT;

	start((struct rpc_config){0}, true);
	cr_assert_eq(state("none", NULL, &err), -ENOENT);
	cr_assert_str_eq(err.msg, "no container none");
}

Test(rpc, what_is_not_served_is_unimplemented)
{
	Task__PauseRequest req = TASK__PAUSE_REQUEST__INIT;
	struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Pause", .request = &req.base};
	struct err err = ERR_INIT;

	start((struct rpc_config){0}, true);
	cr_assert_eq(rpc_call_sync(client, &inv, NULL, &err), -ENOSYS);
	inv.service_name = "nobody.Nothing";
	cr_assert_eq(rpc_call_sync(client, &inv, NULL, &err), -ENOSYS);
}

Test(rpc, a_held_call_is_answered_late_and_others_pass_it)
{
	Task__WaitRequest req = TASK__WAIT_REQUEST__INIT;
	struct rpc_invocation inv = {.service = &task__task__descriptor,
				     .method = "Wait",
				     .request = &req.base,
				     .timeout_ms = 20};
	struct err err = ERR_INIT;

	start((struct rpc_config){0}, true);
	cr_assert_eq(rpc_call_sync(client, &inv, NULL, &err), -ETIMEDOUT);
	cr_assert_not_null(held);
	cr_assert_eq(state("box", NULL, &err), 0);
	rpc_reply_empty(held); /* nobody waits any more; goes nowhere */
	cr_assert_eq(state("box", NULL, &err), 0);
}

static void never(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	cr_assert_fail("somebody who had gone was called");
}

Test(rpc, an_answer_to_who_has_gone_is_dropped)
{
	Task__WaitRequest req = TASK__WAIT_REQUEST__INIT;
	struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Wait", .request = &req.base};
	int gone;

	start((struct rpc_config){0}, true);
	cr_assert_eq(rpc_invoke(client, &inv, never, &gone), 0);
	while (!held)
		cr_assert_eq(loop_turn(loop, 1000), 0);
	rpc_forget(client, &gone);
	rpc_reply_empty(held);
	cr_assert_eq(state("box", NULL, NULL), 0);
}

Test(rpc, a_call_outlives_its_connection)
{
	Task__WaitRequest req = TASK__WAIT_REQUEST__INIT;
	struct rpc_invocation inv = {.service = &task__task__descriptor,
				     .method = "Wait",
				     .request = &req.base,
				     .timeout_ms = 10};

	start((struct rpc_config){0}, true);
	rpc_call_sync(client, &inv, NULL, NULL);
	rpc_conn_close(client);
	client = NULL;
	while (!server_closed)
		cr_assert_eq(loop_turn(loop, 1000), 0);
	cr_assert_null(rpc_call_conn(held));
	rpc_reply_empty(held);
}

Test(rpc, a_handler_may_close_its_own_connection)
{
	Task__ShutdownRequest req = TASK__SHUTDOWN_REQUEST__INIT;
	struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Shutdown", .request = &req.base};
	struct err err = ERR_INIT;

	start((struct rpc_config){0}, true);
	cr_assert_eq(rpc_call_sync(client, &inv, NULL, &err), -ECONNRESET);
}

Test(rpc, descriptors_come_with_their_request)
{
	Task__CreateTaskRequest req = TASK__CREATE_TASK_REQUEST__INIT;
	int fds[2] = {open("/dev/null", O_RDONLY), open("/", O_RDONLY | O_DIRECTORY)};
	struct rpc_invocation inv = {.service = &task__task__descriptor,
				     .method = "Create",
				     .request = &req.base,
				     .fds = fds,
				     .n_fds = 2};

	start((struct rpc_config){.fds_allowed = true}, true);
	cr_assert_eq(rpc_call_sync(client, &inv, NULL, NULL), 0);
	cr_assert_geq(got_fd, 0);
	cr_assert_neq(got_fd, fds[1]);
	close(got_fd);
	got_fd = -1;
	cr_assert_eq(state("box", NULL, NULL), 0, "the next request has none");
	cr_assert_eq(got_fd, -1);
	close(fds[0]);
	close(fds[1]);
}

Test(rpc, descriptors_that_are_not_allowed_end_the_connection)
{
	int fd = open("/dev/null", O_RDONLY);

	start((struct rpc_config){0}, false);
	cr_assert_eq(sock_send(raw, "x", 1, &fd, 1, 0), 1);
	while (!server_closed)
		cr_assert_eq(loop_turn(loop, 1000), 0);
	close(fd);
}

Test(rpc, hello_first_where_it_is_needed)
{
	struct err err = ERR_INIT;

	start((struct rpc_config){.need_hello = true, .role = "shim"}, true);
	cr_assert_eq(state("box", NULL, &err), -EBUSY);
	cr_assert_eq(rpc_hello_sync(client, 1000, &err), 0, "%s", err.msg);
	cr_assert_eq(state("box", NULL, &err), 0);
}

/* Sends a raw frame and returns the code of the response that comes back. */
static int raw_frame(uint32_t stream, uint8_t type, const void *body, uint32_t size)
{
	struct ttrpc_header h = {.length = size, .stream = stream, .type = type};
	uint8_t buf[4096];
	Ttrpc__Response *response;
	int code;

	ttrpc_header_encode(&h, buf);
	cr_assert_eq(io_write_full(raw, buf, TTRPC_HEADER_SIZE), 0);
	if (body)
		cr_assert_eq(io_write_full(raw, body, size), 0);
	for (int i = 0; i < 20; i++)
		cr_assert_eq(loop_turn(loop, 5), 0);
	cr_assert_eq(io_read_full(raw, buf, TTRPC_HEADER_SIZE), 0);
	ttrpc_header_decode(buf, &h);
	cr_assert_eq(h.type, TTRPC_RESPONSE);
	cr_assert_eq(h.stream, stream);
	cr_assert_leq(h.length, sizeof(buf));
	cr_assert_eq(io_read_full(raw, buf, h.length), 0);
	response = (Ttrpc__Response *)protobuf_c_message_unpack(&ttrpc__response__descriptor, NULL,
								h.length, buf);
	cr_assert_not_null(response);
	code = response->status ? response->status->code : 0;
	protobuf_c_message_free_unpacked(&response->base, NULL);
	return code;
}

Test(rpc, hostile_frames_are_answered_and_the_connection_lives)
{
	static uint8_t big[70000];
	Ttrpc__Request env = TTRPC__REQUEST__INIT;
	uint8_t good[256];
	size_t n;

	start((struct rpc_config){.max_frame = 65536}, false);
	cr_assert_eq(raw_frame(2, TTRPC_REQUEST, "", 0), GRPC_INVALID_ARGUMENT, "even stream");
	cr_assert_eq(raw_frame(1, TTRPC_REQUEST, "\xff\xff", 2), GRPC_INVALID_ARGUMENT);
	cr_assert_eq(raw_frame(3, TTRPC_REQUEST, big, sizeof(big)), GRPC_RESOURCE_EXHAUSTED);
	env.service = (char *)"containerd.task.v2.Task";
	env.method = (char *)"State";
	n = ttrpc__request__descriptor.sizeof_message ? protobuf_c_message_pack(&env.base, good)
						      : 0;
	cr_assert_eq(raw_frame(5, TTRPC_REQUEST, good, (uint32_t)n), 0);
	env.payload.data = (uint8_t *)"\x0a\xff";
	env.payload.len = 2;
	n = protobuf_c_message_pack(&env.base, good);
	cr_assert_eq(raw_frame(7, TTRPC_REQUEST, good, (uint32_t)n), GRPC_INVALID_ARGUMENT);
	cr_assert_eq(server_closed, 0);
}

Test(rpc, a_stray_response_or_unknown_type_is_ignored)
{
	uint8_t buf[TTRPC_HEADER_SIZE];
	struct ttrpc_header h = {.stream = 1, .type = TTRPC_RESPONSE};

	start((struct rpc_config){0}, false);
	ttrpc_header_encode(&h, buf);
	cr_assert_eq(io_write_full(raw, buf, sizeof(buf)), 0);
	h.type = 99;
	ttrpc_header_encode(&h, buf);
	cr_assert_eq(io_write_full(raw, buf, sizeof(buf)), 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(loop_turn(loop, 1), 0);
	cr_assert_eq(server_closed, 0);
}

static void on_refused(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	n_refused += err && err->code == E2BIG;
}

/* Asks for something that is not answered, in so many bytes, until it is kept or refused. */
static void keep(size_t size)
{
	_cleanup_free_ char *id = calloc(1, size + 1);
	Task__WaitRequest req = TASK__WAIT_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = "Wait", .request = &req.base};
	unsigned before = n_kept + n_refused;

	req.id = memset(id, 'x', size);
	cr_assert_eq(rpc_invoke(client, &inv, on_refused, NULL), 0);
	while (n_kept + n_refused == before)
		cr_assert_eq(loop_turn(loop, 1000), 0);
}

static void answer_kept(void)
{
	while (n_kept)
		rpc_reply_empty(kept[--n_kept]);
}

Test(rpc, open_calls_are_bounded)
{
	start((struct rpc_config){.max_calls = 3}, true);
	for (int i = 0; i < 4; i++)
		keep(1);
	cr_assert_eq(n_kept, 3);
	cr_assert_eq(n_refused, 1);
	rpc_reply_empty(kept[--n_kept]);
	keep(1);
	cr_assert_eq(n_kept, 3);
	answer_kept();
}

Test(rpc, what_open_calls_hold_is_bounded)
{
	const size_t size = 3 << 20;

	start((struct rpc_config){0}, true);
	for (int i = 0; i < 22; i++)
		keep(size);
	cr_assert_eq(n_kept, 21, "of 64 MiB");
	cr_assert_eq(n_refused, 1);
	answer_kept();
	keep(size);
	cr_assert_eq(n_kept, 1);
	answer_kept();
}
