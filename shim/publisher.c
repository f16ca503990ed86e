/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a queue, of which the head is on its way and the rest waits, so that order
 * needs no further thought. The connection is made when there is something to send. Where it cannot
 * be made or breaks, containerd restarts: the head stays and is sent again after a pause that grows to
 * MAX_PAUSE_NS. An event that containerd itself refuses is given up after MAX_ATTEMPTS. The queue is
 * bounded; a containerd that never comes back costs the oldest events.
 */
#include "shim/publisher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io.h"
#include "common/list.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "forward.pb-c.h"

#define MAX_QUEUED     2048
#define MAX_ATTEMPTS   5
#define FIRST_PAUSE_NS 100000000ull
#define MAX_PAUSE_NS   (5 * 1000000000ull)
#define TIMEOUT_MS     5000

struct queued {
	struct list link;
	const char *topic, *type; /* static */
	Google__Timestamp at;
	size_t size;
	unsigned attempts;
	uint8_t data[];
};

struct publisher {
	struct loop *loop;
	char *path, *namespace;
	struct rpc_conn *conn;
	struct list queue; /* of struct queued */
	unsigned n_queued;
	bool in_flight;
	bool stale; /* conn may still deliver what it was given: nothing is sent on it again */
	uint64_t pause_ns;
	struct source *next;  /* sends at the end of the turn */
	struct source *retry; /* and after a pause */
	void (*idle_fn)(void *data);
	void *idle_data;
};

static void retry_later(struct publisher *p)
{
	source_arm(p->retry, p->pause_ns);
	p->pause_ns = p->pause_ns * 2 < MAX_PAUSE_NS ? p->pause_ns * 2 : MAX_PAUSE_NS;
}

static void on_close(struct rpc_conn *conn, int why, void *data)
{
	struct publisher *p = data;

	/* A call in flight has been answered with the reason. */
	rpc_conn_close(TAKE_PTR(p->conn));
}

static int connect_to(struct publisher *p)
{
	const struct rpc_config config = {.on_close = on_close, .data = p, .role = "shim"};
	int fd, r;

	if (p->conn)
		return 0;
	r = sock_connect_at(AT_FDCWD, p->path, &fd);
	return r < 0 ? r : rpc_conn_create(p->loop, fd, &config, &p->conn);
}

static void drop_head(struct publisher *p)
{
	struct queued *head = list_entry(p->queue.next, struct queued, link);

	list_remove(&head->link);
	free(head);
	p->n_queued--;
}

static void on_sent(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct publisher *p = data;
	struct queued *head = list_entry(p->queue.next, struct queued, link);
	bool late = err && err->code == ETIMEDOUT;
	bool lost = late || (err && (err->code == ECONNRESET || err->code == ECANCELED));

	p->in_flight = false;
	p->stale |= late;
	if (!err) {
		p->pause_ns = FIRST_PAUSE_NS;
		drop_head(p);
	} else if (lost || ++head->attempts < MAX_ATTEMPTS) {
		retry_later(p);
		return;
	} else {
		log_warn("event %s: %s", head->topic, err->msg);
		drop_head(p);
	}
	source_defer(p->next);
}

static int send_head(struct publisher *p)
{
	struct queued *head = list_entry(p->queue.next, struct queued, link);
	Google__Any event = GOOGLE__ANY__INIT;
	Forward__Envelope envelope = FORWARD__ENVELOPE__INIT;
	Forward__ForwardRequest request = FORWARD__FORWARD_REQUEST__INIT;
	const struct rpc_invocation inv = {
		.service = &forward__events__descriptor,
		.method = "Forward",
		.request = &request.base,
		.timeout_ms = TIMEOUT_MS,
		.metadata_key = "containerd-namespace-ttrpc",
		.metadata_value = p->namespace,
	};

	event.type_url = (char *)(uintptr_t)head->type;
	event.value.data = head->data;
	event.value.len = head->size;
	envelope.timestamp = &head->at;
	envelope.namespace_ = p->namespace;
	envelope.topic = (char *)(uintptr_t)head->topic;
	envelope.event = &event;
	request.envelope = &envelope;
	return rpc_invoke(p->conn, &inv, on_sent, p);
}

static void on_next(struct source *source, uint32_t events, void *data)
{
	struct publisher *p = data;
	void (*fn)(void *) = p->idle_fn;

	if (p->in_flight)
		return;
	if (list_empty(&p->queue)) {
		p->idle_fn = NULL;
		if (fn)
			fn(p->idle_data);
		return;
	}
	if (p->stale)
		rpc_conn_close(TAKE_PTR(p->conn));
	p->stale = false;
	if (connect_to(p) < 0 || send_head(p) < 0)
		retry_later(p);
	else
		p->in_flight = true;
}

int publisher_create(struct loop *loop, const char *address, const char *namespace,
		     struct publisher **ret)
{
	_cleanup_(publisher_destroy_p) struct publisher *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	list_init(&p->queue);
	p->loop = loop;
	p->pause_ns = FIRST_PAUSE_NS;
	if (strncmp(address, "unix://", 7) == 0)
		address += 7;
	p->path = strdup(address);
	p->namespace = strdup(namespace);
	if (!p->path || !p->namespace)
		return -ENOMEM;
	r = loop_add_defer(loop, on_next, p, &p->next);
	if (r == 0)
		r = loop_add_timer(loop, on_next, p, &p->retry);
	if (r == 0)
		*ret = TAKE_PTR(p);
	return r;
}

void publisher_destroy(struct publisher *p)
{
	if (!p)
		return;
	p->in_flight = false;
	rpc_conn_close(TAKE_PTR(p->conn));
	while (!list_empty(&p->queue))
		drop_head(p);
	source_remove(p->next);
	source_remove(p->retry);
	free(p->path);
	free(p->namespace);
	free(p);
}

void publisher_send(struct publisher *p, const char *topic, const ProtobufCMessage *event)
{
	size_t size = protobuf_c_message_get_packed_size(event);
	struct timespec now;
	struct queued *queued;

	if (!p)
		return;
	queued = malloc(sizeof(*queued) + size);
	if (!queued) {
		log_error("event %s: out of memory", topic);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	*queued = (struct queued){.topic = topic, .type = event->descriptor->name, .size = size};
	google__timestamp__init(&queued->at);
	queued->at.seconds = now.tv_sec;
	queued->at.nanos = (int32_t)now.tv_nsec;
	protobuf_c_message_pack(event, queued->data);
	/* The head may be on its way: it is the second oldest that goes. */
	if (p->n_queued == MAX_QUEUED) {
		struct queued *old = list_entry(p->queue.next->next, struct queued, link);

		log_warn("too many events wait: %s is dropped", old->topic);
		list_remove(&old->link);
		free(old);
		p->n_queued--;
	}
	list_append(&p->queue, &queued->link);
	p->n_queued++;
	source_defer(p->next);
}

bool publisher_is_idle(const struct publisher *p)
{
	return !p || list_empty(&p->queue);
}

void publisher_on_idle(struct publisher *p, void (*fn)(void *data), void *data)
{
	p->idle_fn = fn;
	p->idle_data = data;
	source_defer(p->next);
}
