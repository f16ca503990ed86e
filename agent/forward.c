/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: Forward, a TCP connection to the pod's loopback address for somebody on the
 * host. First that connection, so that a port where nobody listens is the call's own error; then the
 * stream to the host. From there on bytes go both ways:
 *
 *	CONNECTING --accepted--> DIALLING --connected, id sent--> OPEN --both ends, or broken--> freed
 *	  IPv4, then IPv6
 *
 * The end of one direction half-closes the other side. What the two sides say is nobody's to judge;
 * the agent holds one small buffer a direction and no more.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "agent.pb-c.h"
#include "agent/agent.h"
#include "agent/dial.h"
#include "agent/pump.h"
#include "agent/service.h"
#include "common/loop.h"
#include "common/ports.h"
#include "common/rpc.h"

#define MAX_FORWARDS 256
#define LIMIT_NS     (DIAL_LIMIT_S * 1000000000ull)

enum forward_state { FORWARD_CONNECTING, FORWARD_DIALLING, FORWARD_OPEN };
enum { SIDE_POD, SIDE_HOST };

struct forward {
	struct agent *agent;
	struct rpc_call *call; /* until it is answered */
	enum forward_state state;
	sa_family_t family; /* of the attempt under way */
	uint16_t port;
	uint64_t id;
	int fds[2];
	struct source *sources[2], *again, *timeout;
	struct pump_buffer buffers[2]; /* what comes from that side */
	bool ended[2];
};

static void forward_free(struct forward *f, const struct err *err)
{
	for (int side = 0; side < 2; side++) {
		source_remove(f->sources[side]);
		close_fd(&f->fds[side]);
	}
	source_remove(f->again);
	source_remove(f->timeout);
	if (f->call)
		rpc_fail(f->call, err);
	f->agent->n_forwards--;
	free(f);
}

static void fail(struct forward *f, int code, const char *what)
{
	struct err err = ERR_INIT;

	err_set_errno(&err, code, "forward to port %u: %s", f->port, what);
	forward_free(f, &err);
}

/* --- both ways -------------------------------------------------------------------------------- */

/* One direction's share of a turn. true: more may come at once. */
static bool pump_from(struct forward *f, int side)
{
	enum pump_state state;

	if (f->ended[side])
		return false;
	state = pump_copy(f->fds[side], f->fds[!side], &f->buffers[side], NULL);
	if (state == PUMP_EOF || state == PUMP_BROKEN) {
		f->ended[side] = true;
		shutdown(f->fds[!side], SHUT_WR);
		/* Nobody reads it any more: its writer is to know. */
		if (state == PUMP_BROKEN)
			shutdown(f->fds[side], SHUT_RD);
	}
	return state == PUMP_MORE;
}

static void pump(struct forward *f)
{
	bool more = pump_from(f, SIDE_POD);

	more |= pump_from(f, SIDE_HOST);
	if (f->ended[SIDE_POD] && f->ended[SIDE_HOST])
		forward_free(f, NULL);
	else if (more)
		source_defer(f->again);
}

static void on_again(struct source *source, uint32_t events, void *data)
{
	pump(data);
}

/* --- connecting ------------------------------------------------------------------------------- */

static int connect_pod(struct forward *f)
{
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons(f->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(f->port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	bool first = f->family == AF_INET;
	const struct sockaddr *to =
		first ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;

	f->fds[SIDE_POD] = socket(f->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fds[SIDE_POD] < 0)
		return -errno;
	if (connect(f->fds[SIDE_POD], to, first ? sizeof(v4) : sizeof(v6)) < 0 &&
	    errno != EINPROGRESS)
		return -errno;
	return 0;
}

static void on_side(struct source *source, uint32_t events, void *data);

static int watch(struct forward *f, int side)
{
	return loop_add_io(f->agent->loop, f->fds[side], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			   on_side, f, &f->sources[side]);
}

/* Connects to the next address of the pod; -errno where there is none left. */
static int try_pod(struct forward *f)
{
	int r = connect_pod(f);

	while (r < 0 && f->family == AF_INET) {
		close_fd(&f->fds[SIDE_POD]);
		f->family = AF_INET6;
		r = connect_pod(f);
	}
	return r < 0 ? r : watch(f, SIDE_POD);
}

static int dial_host(struct forward *f)
{
	f->state = FORWARD_DIALLING;
	f->fds[SIDE_HOST] = dial_start(PORT_STREAM);
	return f->fds[SIDE_HOST] < 0 ? f->fds[SIDE_HOST] : watch(f, SIDE_HOST);
}

/* 0: it stands. -EAGAIN: not yet. */
static int outcome(int fd, uint32_t events)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return -EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static void on_pod_connected(struct forward *f, int r)
{
	if (r < 0 && f->family == AF_INET) {
		source_remove(TAKE_PTR(f->sources[SIDE_POD]));
		close_fd(&f->fds[SIDE_POD]);
		f->family = AF_INET6;
		r = try_pod(f);
		if (r == 0)
			return;
	}
	if (r < 0) {
		fail(f, -r, "the pod");
		return;
	}
	rpc_reply_empty(TAKE_PTR(f->call));
	r = dial_host(f);
	if (r < 0)
		fail(f, -r, "the host");
}

static void on_host_connected(struct forward *f, int r)
{
	uint64_t id = htole64(f->id);
	ssize_t n = r < 0 ? -1 : send(f->fds[SIDE_HOST], &id, sizeof(id), MSG_NOSIGNAL);

	/* Not connected yet: a stray wake-up. */
	if (r == 0 && n < 0 && (errno == ENOTCONN || errno == EAGAIN))
		return;
	/* The first bytes of a connection: they fit. */
	if (n != sizeof(id)) {
		fail(f, r < 0 ? -r : EIO, "the host");
		return;
	}
	f->state = FORWARD_OPEN;
	source_arm(f->timeout, 0);
	pump(f);
}

static void on_side(struct source *source, uint32_t events, void *data)
{
	struct forward *f = data;
	int side = source == f->sources[SIDE_HOST] ? SIDE_HOST : SIDE_POD, r;

	if (f->state == FORWARD_OPEN) {
		pump(f);
		return;
	}
	/* The pod's side waits for the host's. */
	if ((side == SIDE_POD) != (f->state == FORWARD_CONNECTING))
		return;
	r = outcome(f->fds[side], events);
	if (r == -EAGAIN)
		return;
	if (side == SIDE_POD)
		on_pod_connected(f, r);
	else
		on_host_connected(f, r);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	fail(data, ETIMEDOUT, "connecting");
}

static int set_up(struct forward *f)
{
	int r = loop_add_defer(f->agent->loop, on_again, f, &f->again);

	if (r == 0)
		r = loop_add_timer(f->agent->loop, on_timeout, f, &f->timeout);
	if (r == 0)
		r = source_arm(f->timeout, LIMIT_NS);
	return r < 0 ? r : try_pod(f);
}

void handle_forward(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ForwardRequest *request = (const Agent__ForwardRequest *)msg;
	struct agent *agent = data;
	struct err err = ERR_INIT;
	struct forward *f;
	int r;

	if (request->port < 1 || request->port > 65535 || !request->stream)
		err_set(&err, EINVAL, "forward: port or stream missing");
	else if (agent->n_forwards >= MAX_FORWARDS)
		err_set(&err, ENOBUFS, "%d ports are forwarded already", MAX_FORWARDS);
	f = err.code ? NULL : calloc(1, sizeof(*f));
	if (!f) {
		if (!err.code)
			err_set(&err, ENOMEM, "out of memory");
		rpc_fail(call, &err);
		return;
	}
	*f = (struct forward){
		.agent = agent,
		.call = call,
		.family = AF_INET,
		.port = (uint16_t)request->port,
		.id = request->stream,
		.fds = {-1, -1},
	};
	agent->n_forwards++;
	r = set_up(f);
	if (r < 0)
		fail(f, -r, "the pod");
}
