/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: listening -> connected -> hello -> Setup -> network
 * (where there is one) -> ready. The first connection is
 * the agent's, as nothing else runs in the guest by then; the listening socket is closed with it. No
 * step has a deadline of its own: the sandbox watches over the whole start and knows what to say.
 */
#include "shim/agent_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/ports.h"

#define MAX_REPLY    (64u << 10)
#define ENTROPY_SIZE 64

struct agent_client {
	struct loop *loop;
	struct agent_events events;
	Agent__SetupRequest *setup; /* but for what is known only when it is sent */
	const Agent__UpdateNetworkRequest *network;
	Agent__SetupResponse *set_up; /* while the network is set up */
	int listen_fd;
	struct source *listener;
	struct rpc_conn *conn;
	bool lost, destroying;
};

static void lose(struct agent_client *client, const struct err *err)
{
	if (client->lost || client->destroying)
		return;
	client->lost = true;
	client->events.lost(err, client->events.data);
}

static void lose_errno(struct agent_client *client, int r, const char *what)
{
	struct err err = ERR_INIT;

	err_set_errno(&err, -r, "%s", what);
	lose(client, &err);
}

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct agent_client *client = data;
	struct err err = ERR_INIT;

	err_set(&err, EPIPE, "the agent's connection closed");
	lose(client, &err);
}

static void forget_setup(struct agent_client *client)
{
	if (client->set_up)
		protobuf_c_message_free_unpacked(&client->set_up->base, NULL);
	client->set_up = NULL;
}

/* A message of our own; NULL: out of memory. */
static void *copy_message(const ProtobufCMessage *msg)
{
	size_t size = protobuf_c_message_get_packed_size(msg);
	_cleanup_free_ uint8_t *packed = malloc(size ? size : 1);

	if (!packed)
		return NULL;
	protobuf_c_message_pack(msg, packed);
	return protobuf_c_message_unpack(msg->descriptor, NULL, size, packed);
}

static void on_network(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct agent_client *client = data;

	if (err)
		lose(client, err);
	else
		client->events.ready(client->set_up, client->events.data);
	forget_setup(client);
}

static void on_setup(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct agent_client *client = data;
	int r;

	if (err) {
		lose(client, err);
		return;
	}
	if (!client->network) {
		client->events.ready((const Agent__SetupResponse *)reply, client->events.data);
		return;
	}
	/* The answer is told when the network is there too. */
	client->set_up = copy_message(reply);
	r = client->set_up ? agent_client_call(client, "UpdateNetwork", &client->network->base, 0,
					       on_network, client)
			   : -ENOMEM;
	if (r < 0)
		lose_errno(client, r, "cannot set the network up");
}

static void on_hello(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct agent_client *client = data;
	Agent__SetupRequest setup = *client->setup; /* whose strings stay its own */
	uint8_t entropy[ENTROPY_SIZE];
	struct timespec now;
	ssize_t n;
	int r;

	if (err) {
		lose(client, err);
		return;
	}
	n = getrandom(entropy, sizeof(entropy), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	setup.realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	setup.entropy.data = entropy;
	setup.entropy.len = n > 0 ? (size_t)n : 0;
	r = agent_client_call(client, "Setup", &setup.base, 0, on_setup, client);
	explicit_bzero(entropy, sizeof(entropy));
	if (r < 0)
		lose_errno(client, r, "cannot set the agent up");
}

static void on_listener(struct source *source, uint32_t events, void *data)
{
	struct agent_client *client = data;
	const struct rpc_config config = {
		.data = client,
		.on_close = on_close,
		.max_frame = MAX_REPLY,
		.role = "shim",
	};
	int fd = accept4(client->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

	if (fd < 0)
		return;
	source_remove(client->listener);
	client->listener = NULL;
	close_fd(&client->listen_fd);
	r = rpc_conn_create(client->loop, fd, &config, &client->conn);
	if (r == 0) {
		client->events.connected(client->events.data);
		r = rpc_hello(client->conn, 0, on_hello, client);
	}
	if (r < 0)
		lose_errno(client, r, "cannot greet the agent");
}

int agent_client_create(struct loop *loop, int vsock_dirfd, const struct agent_setup *setup,
			const struct agent_events *events, struct agent_client **ret,
			struct err *err)
{
	_cleanup_(agent_client_destroy_p) struct agent_client *client = calloc(1, sizeof(*client));
	Agent__SetupRequest request = AGENT__SETUP_REQUEST__INIT;
	int r;

	if (!client)
		return err_set(err, ENOMEM, "out of memory");
	client->loop = loop;
	client->events = *events;
	request.hostname = (char *)(uintptr_t)setup->hostname;
	request.cpus = setup->cpus;
	request.sysctl = setup->sysctl;
	request.n_sysctl = setup->n_sysctl;
	client->setup = copy_message(&request.base);
	client->network = setup->network;
	client->listen_fd = -1;
	r = client->setup
		    ? sock_listen_at(vsock_dirfd, PORT_SOCKET(PORT_AGENT), 1, &client->listen_fd)
		    : -ENOMEM;
	if (r == 0)
		r = loop_add_io(loop, client->listen_fd, EPOLLIN, on_listener, client,
				&client->listener);
	if (r < 0)
		return err_set_errno(err, -r, "cannot wait for the agent");
	*ret = TAKE_PTR(client);
	return 0;
}

void agent_client_destroy(struct agent_client *client)
{
	if (!client)
		return;
	client->destroying = true;
	source_remove(client->listener);
	close_fd(&client->listen_fd);
	rpc_conn_close(client->conn);
	forget_setup(client);
	if (client->setup)
		protobuf_c_message_free_unpacked(&client->setup->base, NULL);
	free(client);
}

int agent_client_call(struct agent_client *client, const char *method,
		      const ProtobufCMessage *request, int timeout_ms, rpc_done done, void *data)
{
	const struct rpc_invocation inv = {
		.service = &agent__agent__descriptor,
		.method = method,
		.request = request,
		.timeout_ms = timeout_ms,
	};

	if (!client || !client->conn)
		return -EPIPE;
	return rpc_invoke(client->conn, &inv, done, data);
}

void agent_client_forget(struct agent_client *client, const void *data)
{
	if (client && client->conn)
		rpc_forget(client->conn, data);
}
