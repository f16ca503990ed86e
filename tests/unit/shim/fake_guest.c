/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/ports.h"
#include "shim/spec.h"
#include "tests/unit/shim/fake_guest.h"

#define MAX_HELD 16

static char dir[] = "/tmp/sbx-unit-XXXXXX";
static struct pod_dir pod = {
	.namespace = (char *)"k8s.io", .id = (char *)"pod", .path = dir, .lock_fd = -1};
static struct shim shim = {.pod = &pod, .log_fd = -1};
static struct client server = {.shim = &shim};
static struct rpc_conn *agent;

struct guest guest;

/* What the agent was asked and has not answered. */
static struct {
	struct rpc_call *call;
	char method[16], exec_id[16];
} held[MAX_HELD];
static unsigned n_held;

void guest_turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(shim.loop, 0);
}

/* --- time ------------------------------------------------------------------------------------ */

#define HASTE 100

/* The loop's timers, by which everything here waits. */
int timerfd_settime(int fd, int flags, const struct itimerspec *its, struct itimerspec *old)
{
	uint64_t ns =
		(uint64_t)its->it_value.tv_sec * 1000000000u + (uint64_t)its->it_value.tv_nsec;
	struct itimerspec soon = *its;

	ns = ns && ns < HASTE ? 1 : ns / HASTE;
	soon.it_value.tv_sec = (time_t)(ns / 1000000000u);
	soon.it_value.tv_nsec = (long)(ns % 1000000000u);
	return (int)syscall(SYS_timerfd_settime, fd, flags, guest.hasty ? &soon : its, old);
}

void guest_waits(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		poll(NULL, 0, 1000 / HASTE);
		guest_turns();
	}
}

/* --- the agent ------------------------------------------------------------------------------- */

static void hold(struct rpc_call *call, const char *method, const char *exec_id)
{
	cr_assert_lt(n_held, MAX_HELD);
	held[n_held].call = call;
	snprintf(held[n_held].method, sizeof(held[0].method), "%s", method);
	snprintf(held[n_held++].exec_id, sizeof(held[0].exec_id), "%s", exec_id);
}

struct rpc_call *guest_take(const char *method, const char *exec_id)
{
	for (unsigned i = 0; i < n_held; i++)
		if (held[i].call && strcmp(held[i].method, method) == 0 &&
		    strcmp(held[i].exec_id, exec_id) == 0)
			return TAKE_PTR(held[i].call);
	cr_assert_fail("the agent was not asked for %s %s", method, exec_id);
	return NULL;
}

bool guest_was_asked(const char *method, const char *exec_id)
{
	for (unsigned i = 0; i < n_held; i++)
		if (held[i].call && strcmp(held[i].method, method) == 0 &&
		    strcmp(held[i].exec_id, exec_id) == 0)
			return true;
	return false;
}

static void handle_setup(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Agent__SetupResponse response = AGENT__SETUP_RESPONSE__INIT;

	rpc_reply(call, &response.base);
}

static void handle_create(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Create", ((const Agent__CreateRequest *)msg)->id);
}

static void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Start", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static void handle_exec(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Exec", ((const Agent__ExecRequest *)msg)->exec_id);
}

static void handle_kill(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Kill", ((const Agent__KillRequest *)msg)->exec_id);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Wait", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static void handle_delete(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Delete", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static void handle_resize(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Resize", ((const Agent__ResizeRequest *)msg)->exec_id);
}

static const struct rpc_method methods[] = {
	{"Setup", handle_setup},   {"Create", handle_create}, {"Start", handle_start},
	{"Exec", handle_exec},     {"Kill", handle_kill},     {"Wait", handle_wait},
	{"Delete", handle_delete}, {"Resize", handle_resize},
};
static const struct rpc_service service = {&agent__agent__descriptor, NULL, methods,
					   ARRAY_SIZE(methods)};
static const struct rpc_service *const agent_services[] = {&service, NULL};
/* The agent's, too: by its Create a client has a call of its own kept (guest_keep_call). */
static const struct rpc_service *const shim_services[] = {&shim_task_service, &service, NULL};

void guest_exits(const char *exec_id, uint32_t status)
{
	Agent__WaitResponse response = AGENT__WAIT_RESPONSE__INIT;

	response.exit_status = status;
	rpc_reply(guest_take("Wait", exec_id), &response.base);
	guest_turns();
}

void guest_answers(const char *method, const char *exec_id)
{
	rpc_reply_empty(guest_take(method, exec_id));
	guest_turns();
}

void guest_goes(void)
{
	rpc_conn_close(TAKE_PTR(agent));
	for (unsigned i = 0; i < n_held; i++)
		if (held[i].call)
			rpc_reply_empty(TAKE_PTR(held[i].call));
	guest_turns();
}

void guest_refuses(const char *method, const char *exec_id, int code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	rpc_fail(guest_take(method, exec_id), &err);
	guest_turns();
}

/* --- the client ------------------------------------------------------------------------------ */

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	size_t n = strlen(guest.answers);

	if (err)
		snprintf(guest.answers + n, sizeof(guest.answers) - n, "%s failed (%d);",
			 (char *)data, err->code);
	else
		snprintf(guest.answers + n, sizeof(guest.answers) - n, "%s;", (char *)data);
	if (err)
		snprintf(guest.said, sizeof(guest.said), "%.200s", err->msg);
}

static void ask(const ProtobufCServiceDescriptor *descriptor, const char *method,
		const ProtobufCMessage *request, const char *name)
{
	const struct rpc_invocation inv = {
		.service = descriptor, .method = method, .request = request};

	cr_assert_eq(rpc_invoke(guest.client, &inv, on_answer, (void *)(uintptr_t)name), 0);
	guest_turns();
}

void guest_ask(const char *method, const ProtobufCMessage *request, const char *name)
{
	ask(&task__task__descriptor, method, request, name);
}

struct rpc_call *guest_keep_call(const char *name)
{
	Agent__CreateRequest request = AGENT__CREATE_REQUEST__INIT;

	request.id = (char *)"client";
	ask(&agent__agent__descriptor, "Create", &request.base, name);
	return guest_take("Create", "client");
}

void guest_ask_delete(const char *exec_id, const char *name)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

	request.id = (char *)"c";
	request.exec_id = (char *)(uintptr_t)exec_id;
	guest_ask("Delete", &request.base, name);
}

void guest_ask_start(const char *exec_id, const char *name)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;

	request.id = (char *)"c";
	request.exec_id = (char *)(uintptr_t)exec_id;
	guest_ask("Start", &request.base, name);
}

void guest_ask_kill(const char *exec_id, uint32_t signal, const char *name)
{
	Task__KillRequest request = TASK__KILL_REQUEST__INIT;

	request.id = (char *)"c";
	request.exec_id = (char *)(uintptr_t)exec_id;
	request.signal = signal;
	guest_ask("Kill", &request.base, name);
}

/* --- set-up ---------------------------------------------------------------------------------- */

static void nothing(void *data)
{
}

static void on_ready(const Agent__SetupResponse *setup, void *data)
{
	*(bool *)data = true;
}

static void on_lost(const struct err *err, void *data)
{
}

static const struct stdio_request no_streams = {.in = "", .out = "", .err = ""};

static void dial(void)
{
	static const struct agent_setup setup = {.hostname = "h", .cpus = 1};
	static bool ready;
	const struct agent_events events = {
		.connected = nothing, .ready = on_ready, .lost = on_lost, .data = &ready};
	const struct rpc_config config = {.services = agent_services, .role = "agent"};
	int fd;

	cr_assert_eq(agent_client_create(shim.loop, pod.dirfd, &setup, &events, &shim.sandbox.agent,
					 NULL),
		     0);
	cr_assert_eq(sock_connect_at(pod.dirfd, PORT_SOCKET(PORT_AGENT), &fd), 0);
	cr_assert_eq(rpc_conn_create(shim.loop, fd, &config, &agent), 0);
	guest_turns();
	cr_assert(ready);
}

static void on_end(struct source *source, uint32_t events, void *data)
{
	guest.ends = true;
}

void guest_set_up(void)
{
	const struct sandbox_events events = {.ready = nothing};
	const struct rpc_config config = {
		.services = shim_services, .data = &server, .max_calls = SHIM_MAX_CALLS};
	struct container *container = calloc(1, sizeof(*container));
	int pair[2];

	cr_assert_not_null(mkdtemp(dir));
	pod.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(loop_create(&shim.loop), 0);
	list_init(&shim.containers);
	list_init(&shim.clients);
	cr_assert_eq(loop_add_defer(shim.loop, on_end, NULL, &shim.closer), 0);
	shim.record.id = pod.id;
	shim.record.namespace = pod.namespace;
	sandbox_init(&shim.sandbox, shim.loop, &events);
	shim.sandbox.state = SANDBOX_READY;
	dial();
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	list_init(&server.link);
	list_append(&shim.clients, &server.link);
	cr_assert_eq(rpc_conn_create(shim.loop, pair[0], &config, &server.conn), 0);
	cr_assert_eq(rpc_conn_create(shim.loop, pair[1], &(struct rpc_config){0}, &guest.client),
		     0);

	guest.container = container;
	guest.shim = &shim;
	guest.server = &server;
	guest.dir = dir;
	container->shim = &shim;
	container->id = strdup("c");
	container->bundle = strdup("/");
	container->image_fd = container->slot = -1;
	container->state = CONTAINER_CREATED;
	list_init(&container->execs);
	cr_assert_eq(process_init(&container->init, container, "", &no_streams, NULL, NULL), 0);
	list_append(&shim.containers, &container->link);
	cr_assert_eq(process_watch(&container->init), 0);
	guest_turns();
}

void guest_tear_down(void)
{
	while (!list_empty(&shim.containers))
		container_free(list_entry(shim.containers.next, struct container, link));
	agent_client_destroy(shim.sandbox.agent);
	if (agent)
		rpc_conn_close(agent);
	rpc_conn_close(guest.client);
	rpc_conn_close(server.conn);
	loop_destroy(shim.loop);
	close_fd(&pod.dirfd);
	io_remove_tree(AT_FDCWD, dir);
}

struct process *guest_add_exec(const char *id)
{
	struct process *exec = calloc(1, sizeof(*exec));

	cr_assert_eq(process_init(exec, guest.container, id, &no_streams, NULL, NULL), 0);
	exec->state = PROCESS_RUNNING;
	list_append(&guest.container->execs, &exec->link);
	cr_assert_eq(process_watch(exec), 0);
	guest_turns();
	return exec;
}

void guest_give_spec(struct process *exec)
{
	static const char text[] = "{\"cwd\":\"/\",\"args\":[\"true\"]}";
	struct err err = ERR_INIT;

	cr_assert_eq(spec_parse_process(text, strlen(text), &exec->spec, &err), 0, "%s", err.msg);
}
