/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that answers out of order, late, or with errors: what it was asked for may have been freed by then. A
 * shim without a VM, its client, and an agent that keeps each call until the test answers it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/ports.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/stream_hub.h"

#define MAX_HELD 16

static char dir[] = "/tmp/sbx-unit-XXXXXX";
static struct pod_dir pod = {
	.namespace = (char *)"k8s.io", .id = (char *)"pod", .path = dir, .lock_fd = -1};
static struct shim shim = {.pod = &pod, .log_fd = -1};
static struct client server = {.shim = &shim};
static struct rpc_conn *agent, *client;
static struct container *container;

/* What the agent was asked and has not answered. */
static struct {
	struct rpc_call *call;
	char method[16], exec_id[16];
} held[MAX_HELD];
static unsigned n_held;

/* What the client was answered, in order: "Delete e1;". */
static char answers[256];
static bool ends;

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn(shim.loop, 0);
}

/* --- the agent ------------------------------------------------------------------------------- */

static void hold(struct rpc_call *call, const char *method, const char *exec_id)
{
	cr_assert_lt(n_held, MAX_HELD);
	held[n_held].call = call;
	snprintf(held[n_held].method, sizeof(held[0].method), "%s", method);
	snprintf(held[n_held++].exec_id, sizeof(held[0].exec_id), "%s", exec_id);
}

static struct rpc_call *take(const char *method, const char *exec_id)
{
	for (unsigned i = 0; i < n_held; i++)
		if (held[i].call && strcmp(held[i].method, method) == 0 &&
		    strcmp(held[i].exec_id, exec_id) == 0)
			return TAKE_PTR(held[i].call);
	cr_assert_fail("the agent was not asked for %s %s", method, exec_id);
	return NULL;
}

static void handle_setup(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Agent__SetupResponse response = AGENT__SETUP_RESPONSE__INIT;

	rpc_reply(call, &response.base);
}

static void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Start", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Wait", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static void handle_delete(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	hold(call, "Delete", ((const Agent__ProcessRequest *)msg)->exec_id);
}

static const struct rpc_method methods[] = {
	{"Setup", handle_setup},
	{"Start", handle_start},
	{"Wait", handle_wait},
	{"Delete", handle_delete},
};
static const struct rpc_service service = {&agent__agent__descriptor, NULL, methods,
					   ARRAY_SIZE(methods)};
static const struct rpc_service *const agent_services[] = {&service, NULL};
static const struct rpc_service *const shim_services[] = {&shim_task_service, NULL};

static void exits(const char *exec_id, uint32_t status)
{
	Agent__WaitResponse response = AGENT__WAIT_RESPONSE__INIT;

	response.exit_status = status;
	rpc_reply(take("Wait", exec_id), &response.base);
	turns();
}

static void empty(const char *method, const char *exec_id)
{
	rpc_reply_empty(take(method, exec_id));
	turns();
}

/* --- the client ------------------------------------------------------------------------------ */

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	strncat(answers, data, sizeof(answers) - strlen(answers) - 1);
	strncat(answers, err ? " failed;" : ";", sizeof(answers) - strlen(answers) - 1);
}

static void ask(const char *method, const ProtobufCMessage *request, const char *name)
{
	const struct rpc_invocation inv = {
		.service = &task__task__descriptor, .method = method, .request = request};

	cr_assert_eq(rpc_invoke(client, &inv, on_answer, (void *)(uintptr_t)name), 0);
	turns();
}

static void delete (const char *exec_id, const char *name)
{
	Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;

	request.id = (char *)"c";
	request.exec_id = (char *)(uintptr_t)exec_id;
	ask("Delete", &request.base, name);
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
	turns();
	cr_assert(ready);
}

static void on_end(struct source *source, uint32_t events, void *data)
{
	ends = true;
}

static void set_up(void)
{
	const struct sandbox_events events = {.ready = nothing};
	const struct rpc_config config = {.services = shim_services, .data = &server};
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
	cr_assert_eq(rpc_conn_create(shim.loop, pair[1], &(struct rpc_config){0}, &client), 0);

	container = calloc(1, sizeof(*container));
	container->shim = &shim;
	container->id = strdup("c");
	container->bundle = strdup("/");
	container->image_fd = container->slot = -1;
	container->state = CONTAINER_CREATED;
	list_init(&container->execs);
	cr_assert_eq(process_init(&container->init, container, "", &no_streams, NULL, NULL), 0);
	list_append(&shim.containers, &container->link);
	cr_assert_eq(process_watch(&container->init), 0);
	turns();
}

static void tear_down(void)
{
	while (!list_empty(&shim.containers))
		container_free(list_entry(shim.containers.next, struct container, link));
	agent_client_destroy(shim.sandbox.agent);
	rpc_conn_close(agent);
	rpc_conn_close(client);
	rpc_conn_close(server.conn);
	loop_destroy(shim.loop);
	close_fd(&pod.dirfd);
	io_remove_tree(AT_FDCWD, dir);
}

static void on_drained(struct stdio *stdio, void *data)
{
}

static struct process *add_exec(const char *id)
{
	struct process *exec = calloc(1, sizeof(*exec));

	cr_assert_eq(process_init(exec, container, id, &no_streams, NULL, NULL), 0);
	exec->state = PROCESS_RUNNING;
	list_append(&container->execs, &exec->link);
	cr_assert_eq(process_watch(exec), 0);
	turns();
	return exec;
}

TestSuite(late_guest, .init = set_up, .fini = tear_down);

Test(late_guest, an_exec_whose_deletion_it_holds_back_goes_with_its_container)
{
	container->init.state = PROCESS_RUNNING;
	add_exec("e1");
	exits("e1", 3);
	delete ("e1", "e1");
	exits("", 0);
	delete ("", "init");
	cr_assert_str_eq(answers, "");
	empty("Delete", "");
	cr_assert_str_eq(answers, "e1;init;");
	cr_assert(list_empty(&shim.containers));
	empty("Delete", "e1");
	cr_assert_str_eq(answers, "e1;init;");
}

Test(late_guest, a_process_is_found_no_more_while_it_is_deleted)
{
	container->init.state = PROCESS_RUNNING;
	exits("", 0);
	delete ("", "first");
	delete ("", "second");
	cr_assert_str_eq(answers, "second failed;");
	cr_assert_not(list_empty(&shim.containers), "a Shutdown does not end what is under way");
	empty("Delete", "");
	cr_assert_str_eq(answers, "second failed;first;");
}

/* containerd has three seconds for its Shutdown, and may have none left to ask for it. */
Test(late_guest, a_pod_without_containers_ends_when_nobody_is_there)
{
	container->init.state = PROCESS_RUNNING;
	exits("", 0);
	delete ("", "init");
	list_remove(&server.link);
	list_init(&server.link);
	shim_end_if_unused(&shim);
	turns();
	cr_assert_not(ends, "while the deletion is under way");
	empty("Delete", "");
	cr_assert(list_empty(&shim.containers));
	cr_assert(ends);
}

Test(late_guest, a_start_is_answered_when_what_it_started_is_gone)
{
	Task__StartRequest request = TASK__START_REQUEST__INIT;

	request.id = (char *)"c";
	ask("Start", &request.base, "start");
	exits("", 0);
	delete ("", "init");
	empty("Delete", "");
	cr_assert_str_eq(answers, "start;init;");
	empty("Start", "");
}

Test(late_guest, an_end_that_it_does_not_tell_is_one_after_those_of_the_execs)
{
	struct process *exec = add_exec("e1");
	struct err err = ERR_INIT;

	container->init.state = PROCESS_RUNNING;
	err_set(&err, ENOENT, "never heard of it");
	rpc_fail(take("Wait", ""), &err);
	turns();
	cr_assert_eq(container->init.state, PROCESS_RUNNING);
	exits("e1", 0);
	cr_assert_eq(exec->state, PROCESS_STOPPED);
	cr_assert_eq(container->init.state, PROCESS_STOPPED);
	cr_assert_eq(container->init.exit_status, 255);
}

Test(late_guest, a_stream_that_it_never_dials_for_is_forgotten_with_its_process)
{
	Agent__Streams ids = AGENT__STREAMS__INIT;
	struct stream_hub *hub;
	struct process *exec = add_exec("e1");
	char fifo[64];

	cr_assert_eq(stream_hub_create(shim.loop, pod.dirfd, &hub), 0);
	snprintf(fifo, sizeof(fifo), "%s/in", dir);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	stdio_destroy(exec->stdio);
	exec->stdio = NULL;
	free((char *)exec->uris.in);
	exec->uris.in = strdup(fifo);
	cr_assert_eq(
		stdio_create(shim.loop, NULL, &exec->uris, on_drained, exec, &exec->stdio, NULL),
		0);
	cr_assert_eq(stdio_expect(exec->stdio, hub, &ids), 0);
	process_end(exec, 0);
	/* The hub goes first at the end of a pod: nothing of it may be held. */
	stream_hub_destroy(hub);
}
