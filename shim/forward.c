/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a connection of the host's is accepted as it comes (loopback.h); the port that
 * it was made to is its own address's. The agent is asked to connect to that port and to dial us, with
 * a stream's id. Two things then are to come, in either order: the agent's answer, and the stream. An
 * error, or no stream in time, resets the host's connection: nobody listens there. With the stream two
 * relays run, one a direction; the end of one half-closes the other side, the end of both is the end.
 *
 * A connection is freed only once its call has been answered, which needs the agent or its end.
 */
#include "shim/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/list.h"
#include "common/log.h"
#include "common/loop.h"
#include "shim/loopback.h"
#include "shim/relay.h"
#include "shim/sandbox.h"
#include "shim/stream_hub.h"

#define MAX_LINKS 256
#define ACCEPTS   16
#define LIMIT_NS  (60 * 1000000000ull)

enum { TO_POD, FROM_POD };

/* One connection: two descriptors of each side, as a relay wants one of its own. */
struct link {
	struct list list;
	struct forward *forward;
	int host[2], pod[2];
	struct relay *relays[2];
	struct stream_wait *wait;
	struct source *deadline;
	bool asked; /* the agent has not answered yet */
	bool dead;
};

struct forward {
	struct loop *loop;
	struct sandbox *sandbox;
	struct loopback loopback;
	struct source *listeners[LOOPBACK_FAMILIES];
	struct list links;
	unsigned n_links;
};

static void link_free(struct link *link)
{
	list_remove(&link->list);
	link->forward->n_links--;
	free(link);
}

/* Closes all; how the host's side ends is for the caller to have arranged. */
static void link_end(struct link *link)
{
	for (int i = 0; i < 2; i++) {
		relay_destroy(TAKE_PTR(link->relays[i]));
		close_fd(&link->host[i]);
		close_fd(&link->pod[i]);
	}
	stream_wait_cancel(TAKE_PTR(link->wait));
	source_remove(TAKE_PTR(link->deadline));
	link->dead = true;
	if (!link->asked)
		link_free(link);
}

static void link_reset(struct link *link)
{
	const struct linger now = {.l_onoff = 1};

	setsockopt(link->host[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	link_end(link);
}

static void on_relay_end(struct relay *relay, int why, void *data)
{
	struct link *link = data;
	int i = relay == link->relays[TO_POD] ? TO_POD : FROM_POD;

	relay_destroy(TAKE_PTR(link->relays[i]));
	shutdown(i == TO_POD ? link->pod[0] : link->host[0], SHUT_WR);
	/* Nobody reads it any more: its writer is to know. */
	if (why < 0)
		shutdown(i == TO_POD ? link->host[0] : link->pod[0], SHUT_RD);
	if (!link->relays[TO_POD] && !link->relays[FROM_POD])
		link_end(link);
}

static void on_stream(int fd, void *data)
{
	struct link *link = data;
	struct loop *loop = link->forward->loop;
	int r = -EMFILE;

	link->wait = NULL;
	link->pod[0] = fd;
	link->pod[1] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	link->host[1] = fcntl(link->host[0], F_DUPFD_CLOEXEC, 3);
	if (link->pod[1] >= 0 && link->host[1] >= 0)
		r = relay_create(loop, link->host[0], link->pod[0], on_relay_end, link,
				 &link->relays[TO_POD]);
	if (r == 0)
		r = relay_create(loop, link->pod[1], link->host[1], on_relay_end, link,
				 &link->relays[FROM_POD]);
	if (r < 0)
		link_reset(link);
	else
		source_arm(link->deadline, 0);
}

static void on_answer(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	struct link *link = data;

	link->asked = false;
	if (link->dead)
		link_free(link);
	else if (err)
		link_reset(link);
}

static void on_deadline(struct source *source, uint32_t events, void *data)
{
	link_reset(data);
}

/* The port that a connection was made to; 0: it cannot be told. */
static unsigned port_of(int fd)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return 0;
	if (addr.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)&addr)->sin_port);
	return addr.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&addr)->sin6_port) : 0;
}

static int ask(struct link *link)
{
	struct forward *forward = link->forward;
	Agent__ForwardRequest request = AGENT__FORWARD_REQUEST__INIT;
	int r = loop_add_timer(forward->loop, on_deadline, link, &link->deadline);

	request.port = port_of(link->host[0]);
	if (r == 0)
		r = source_arm(link->deadline, LIMIT_NS);
	if (r == 0)
		r = stream_hub_expect(forward->sandbox->hub, on_stream, link, &request.stream,
				      &link->wait);
	if (r == 0)
		r = agent_client_call(forward->sandbox->agent, "Forward", &request.base, 0,
				      on_answer, link);
	link->asked = r == 0;
	return r;
}

/* Takes fd. */
static void link_create(struct forward *forward, int fd)
{
	struct link *link = forward->n_links < MAX_LINKS ? calloc(1, sizeof(*link)) : NULL;

	if (!link) {
		log_warn("a connection to a forwarded port was refused: too many");
		close(fd);
		return;
	}
	*link = (struct link){.forward = forward, .host = {fd, -1}, .pod = {-1, -1}};
	list_append(&forward->links, &link->list);
	forward->n_links++;
	if (ask(link) < 0)
		link_reset(link);
}

static void on_listener(struct source *source, uint32_t events, void *data)
{
	struct forward *forward = data;
	int i = source == forward->listeners[LOOPBACK_V4] ? LOOPBACK_V4 : LOOPBACK_V6;

	for (int n = 0; n < ACCEPTS; n++) {
		int fd = accept4(forward->loopback.listen_fds[i], NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		link_create(forward, fd);
	}
}

int forward_create(struct loop *loop, struct sandbox *sandbox, const char *path,
		   struct forward **ret, struct err *err)
{
	_cleanup_(forward_destroy_p) struct forward *forward = calloc(1, sizeof(*forward));
	int r;

	if (!forward)
		return err_set(err, ENOMEM, "out of memory");
	*forward = (struct forward){.loop = loop, .sandbox = sandbox, .loopback = LOOPBACK_INIT};
	list_init(&forward->links);
	r = loopback_open(path, &forward->loopback, err);
	if (r < 0)
		return r;
	for (int i = 0; i < LOOPBACK_FAMILIES && r == 0; i++)
		if (forward->loopback.listen_fds[i] >= 0)
			r = loop_add_io(loop, forward->loopback.listen_fds[i], 0, on_listener,
					forward, &forward->listeners[i]);
	if (r < 0)
		return err_set_errno(err, -r, "cannot watch the forwarded ports");
	*ret = TAKE_PTR(forward);
	return 0;
}

void forward_begin(struct forward *forward)
{
	for (int i = 0; i < LOOPBACK_FAMILIES; i++)
		if (forward->listeners[i])
			source_set_events(forward->listeners[i], EPOLLIN);
}

void forward_destroy(struct forward *forward)
{
	struct list *it, *tmp;

	if (!forward)
		return;
	for (int i = 0; i < LOOPBACK_FAMILIES; i++)
		source_remove(forward->listeners[i]);
	list_for_each_safe (it, tmp, &forward->links)
		link_reset(list_entry(it, struct link, list));
	loopback_close(&forward->loopback);
	free(forward);
}
