/* SPDX-License-Identifier: Apache-2.0 */
/* The sink: takes the connections of shims, and each event they forward to its judge. */
#include "tests/integration/events.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "events.pb-c.h"
#include "forward.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
	&events__task_create__descriptor,     &events__task_start__descriptor,
	&events__task_exit__descriptor,       &events__task_delete__descriptor,
	&events__task_exec_added__descriptor, &events__task_exec_started__descriptor,
	&events__task_paused__descriptor,     &events__task_resumed__descriptor,
	&events__task_oom__descriptor,
};

static void handle_forward(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Forward__Envelope *envelope = ((const Forward__ForwardRequest *)msg)->envelope;
	ProtobufCMessage *event = NULL;

	if (!envelope || !envelope->timestamp || !envelope->namespace_[0] ||
	    envelope->topic[0] != '/' || !envelope->event) {
		wrong("an envelope that containerd refuses");
		rpc_reply_empty(call);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i]->name, envelope->event->type_url) == 0)
			event = protobuf_c_message_unpack(types[i], NULL,
							  envelope->event->value.len,
							  envelope->event->value.data);
	if (event)
		take_event(envelope->topic, event);
	else
		wrong("event of type %s", envelope->event->type_url);
	protobuf_c_message_free_unpacked(event, NULL);
	rpc_reply_empty(call);
}

static const struct rpc_method forward_methods[] = {{"Forward", handle_forward}};
static const struct rpc_service forward_service = {
	.desc = &forward__events__descriptor,
	.methods = forward_methods,
	.n_methods = 1,
};
static const struct rpc_service *const services[] = {&forward_service, NULL};

static void on_sink_close(struct rpc_conn *conn, int why, void *data)
{
	rpc_conn_close(conn);
}

static void on_sink(struct source *source, uint32_t events, void *data)
{
	const struct rpc_config config = {
		.services = services, .on_close = on_sink_close, .role = "test"};
	int fd = accept4(t.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct rpc_conn *conn;

	if (fd >= 0)
		rpc_conn_create(t.loop, fd, &config, &conn);
}

int sink_listen(void)
{
	_cleanup_close_ int dirfd = open(t.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct source *source;
	int r;

	if (dirfd < 0)
		return -errno;
	r = sock_listen_at(dirfd, "events", 16, &t.listen_fd);
	return r < 0 ? r : loop_add_io(t.loop, t.listen_fd, EPOLLIN, on_sink, NULL, &source);
}
