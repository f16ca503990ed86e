/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: frames in and out of one socket; see rpc.h for the whole.
 *
 * Reading takes exactly a header, then exactly a body, never more: descriptors come with the first
 * byte of a frame, and so belong to the frame that is being read. A body that is too long is read
 * into a scratch buffer and forgotten.
 *
 * The connection is reference-counted because a handler may close it while it is being read from:
 * the owner's reference ends with rpc_conn_close(), a turn's own with the turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/loop.h"
#include "common/rpc_internal.h"
#include "ttrpc.pb-c.h"

/* Of one connection in a turn, however long its frame is; epoll tells of the rest. */
#define READS_PER_TURN 64
#define BUDGET_MIN     (64u << 10)

struct frame {
	struct list link;
	size_t size, sent;
	int fds[IO_MAX_FDS];
	size_t n_fds;
	uint8_t data[];
};

static void frame_free(struct frame *f)
{
	for (size_t i = 0; i < f->n_fds; i++)
		close(f->fds[i]);
	free(f);
}

void rpc_conn_ref(struct rpc_conn *conn)
{
	conn->refs++;
}

static void drop_fds(struct rpc_conn *conn)
{
	for (size_t i = 0; i < conn->n_fds; i++)
		close(conn->fds[i]);
	conn->n_fds = 0;
}

void rpc_conn_unref(struct rpc_conn *conn)
{
	struct list *it, *tmp;

	if (--conn->refs > 0)
		return;
	list_for_each_safe (it, tmp, &conn->out) {
		list_remove(it);
		frame_free(list_entry(it, struct frame, link));
	}
	drop_fds(conn);
	free(conn->body);
	free(conn);
}

static void update_events(struct rpc_conn *conn)
{
	uint32_t events = 0;

	if (conn->out_bytes < RPC_MAX_QUEUED && !conn->flush_close)
		events |= EPOLLIN;
	if (!list_empty(&conn->out))
		events |= EPOLLOUT;
	if (events != conn->events && source_set_events(conn->io, events) == 0)
		conn->events = events;
}

void rpc_conn_fail(struct rpc_conn *conn, int why)
{
	if (conn->failed || conn->closed)
		return;
	conn->failed = true;
	conn->why = why;
	source_remove(conn->io);
	conn->io = NULL;
	source_defer(conn->defer);
}

/* The end of a connection, told at the end of the turn in which it came. */
static void on_failed(struct source *source, uint32_t events, void *data)
{
	struct rpc_conn *conn = data;

	rpc_conn_ref(conn);
	rpc_server_abandon(conn);
	rpc_client_abandon(conn, ECONNRESET,
			   conn->why ? strerrordesc_np(-conn->why)
				     : "the peer closed the connection");
	if (!conn->closed && conn->config.on_close)
		conn->config.on_close(conn, conn->why, conn->config.data);
	rpc_conn_unref(conn);
}

static void flush(struct rpc_conn *conn)
{
	while (!list_empty(&conn->out)) {
		struct frame *f = list_entry(conn->out.next, struct frame, link);
		ssize_t n = sock_send(conn->fd, f->data + f->sent, f->size - f->sent, f->fds,
				      f->sent ? 0 : f->n_fds, MSG_DONTWAIT);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			rpc_conn_fail(conn, (int)n);
			return;
		}
		f->sent += (size_t)n;
		conn->out_bytes -= (size_t)n;
		if (f->sent < f->size)
			continue;
		list_remove(&f->link);
		frame_free(f);
	}
	if (conn->flush_close && list_empty(&conn->out))
		rpc_conn_fail(conn, 0);
	else
		update_events(conn);
}

int rpc_send(struct rpc_conn *conn, uint8_t type, uint32_t stream, const ProtobufCMessage *msg,
	     const int *fds, size_t n_fds)
{
	size_t size = protobuf_c_message_get_packed_size(msg);
	struct ttrpc_header header = {.length = (uint32_t)size, .stream = stream, .type = type};
	struct frame *f;

	if (conn->failed || conn->closed)
		return -EPIPE;
	if (size > TTRPC_MAX_DATA)
		return -EMSGSIZE;
	if (n_fds > IO_MAX_FDS)
		return -E2BIG;
	f = calloc(1, sizeof(*f) + TTRPC_HEADER_SIZE + size);
	if (!f)
		return -ENOMEM;
	f->size = TTRPC_HEADER_SIZE + size;
	for (size_t i = 0; i < n_fds; i++) {
		f->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (f->fds[i] < 0) {
			int r = -errno;

			f->n_fds = i;
			frame_free(f);
			return r;
		}
	}
	f->n_fds = n_fds;
	ttrpc_header_encode(&header, f->data);
	protobuf_c_message_pack(msg, f->data + TTRPC_HEADER_SIZE);
	list_append(&conn->out, &f->link);
	conn->out_bytes += f->size;
	flush(conn);
	return 0;
}

ProtobufCMessage *rpc_unpack(const struct rpc_conn *conn, const ProtobufCMessageDescriptor *desc,
			     const void *data, size_t size)
{
	size_t budget = conn->config.max_frame * 16;

	return budget_unpack(desc, data, size, budget < BUDGET_MIN ? BUDGET_MIN : budget);
}

/* --- reading ------------------------------------------------------------------------------ */

static void dispatch(struct rpc_conn *conn)
{
	struct ttrpc_header *h = &conn->header;
	bool whole = h->length <= conn->config.max_frame;

	if (h->type == TTRPC_REQUEST && whole)
		rpc_server_request(conn, h->stream, conn->body, h->length);
	else if (h->type == TTRPC_REQUEST)
		rpc_server_refuse(conn, h->stream, GRPC_RESOURCE_EXHAUSTED,
				  "the message is too long");
	else if (h->type == TTRPC_RESPONSE && whole)
		rpc_client_response(conn, h->stream, conn->body, h->length);
	else if (h->type == TTRPC_RESPONSE)
		rpc_client_refuse(conn, h->stream, EMSGSIZE, "the peer's reply is too long");
	/* Other types are ignored, as containerd's ttrpc does. */
	free(conn->body);
	conn->body = NULL;
	conn->head_got = conn->body_got = 0;
	drop_fds(conn);
}

/* One read for what the frame still lacks. 1: frame complete, 0: more to come, -errno. */
static int read_some(struct rpc_conn *conn)
{
	uint8_t scratch[4096];
	int fds[IO_MAX_FDS];
	size_t n_fds = 0, want, max;
	ssize_t n;
	uint8_t *to;

	if (conn->head_got < TTRPC_HEADER_SIZE) {
		to = conn->head + conn->head_got;
		want = TTRPC_HEADER_SIZE - conn->head_got;
	} else {
		want = conn->header.length - conn->body_got;
		max = conn->body ? want : sizeof(scratch);
		to = conn->body ? conn->body + conn->body_got : scratch;
		want = want < max ? want : max;
	}
	n = sock_recv(conn->fd, to, want, fds, &n_fds, MSG_DONTWAIT);
	if (n < 0)
		return (int)n;
	if (n_fds && (!conn->config.fds_allowed || conn->n_fds)) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return -EPROTO;
	}
	if (n_fds) {
		memcpy(conn->fds, fds, n_fds * sizeof(int));
		conn->n_fds = n_fds;
	}
	if (n == 0)
		return -ENODATA;
	if (conn->head_got < TTRPC_HEADER_SIZE) {
		conn->head_got += (size_t)n;
		if (conn->head_got < TTRPC_HEADER_SIZE)
			return 0;
		ttrpc_header_decode(conn->head, &conn->header);
		if (conn->header.length && conn->header.length <= conn->config.max_frame) {
			conn->body = malloc(conn->header.length);
			if (!conn->body)
				return -ENOMEM;
		}
	} else {
		conn->body_got += (size_t)n;
	}
	return conn->body_got == conn->header.length;
}

/*
 * One frame in a turn: a busy connection does not starve the others, and most often there is no second one
 * to look for.
 */
static void on_readable(struct rpc_conn *conn)
{
	int r = 0;

	for (int reads = 0; r == 0 && reads < READS_PER_TURN; reads++)
		r = read_some(conn);
	if (r > 0)
		dispatch(conn);
	else if (r < 0 && r != -EAGAIN)
		/* An end between frames is how every connection ends. */
		rpc_conn_fail(conn, r == -ENODATA && conn->head_got == 0 ? 0 : r);
}

static void on_io(struct source *source, uint32_t events, void *data)
{
	struct rpc_conn *conn = data;

	rpc_conn_ref(conn);
	if (events & EPOLLOUT)
		flush(conn);
	if (!conn->closed && !conn->failed && (events & EPOLLIN))
		on_readable(conn);
	else if (!conn->closed && !conn->failed && (events & (EPOLLERR | EPOLLHUP)))
		rpc_conn_fail(conn, 0);
	rpc_conn_unref(conn);
}

/* --- life --------------------------------------------------------------------------------- */

int rpc_conn_create(struct loop *loop, int fd, const struct rpc_config *config,
		    struct rpc_conn **ret)
{
	struct rpc_conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn) {
		close(fd);
		return -ENOMEM;
	}
	conn->loop = loop;
	conn->config = *config;
	conn->fd = fd;
	conn->refs = 1;
	conn->next_stream = 1;
	conn->events = EPOLLIN;
	list_init(&conn->out);
	list_init(&conn->calls);
	list_init(&conn->waits);
	if (!conn->config.max_frame || conn->config.max_frame > TTRPC_MAX_DATA)
		conn->config.max_frame = TTRPC_MAX_DATA;
	if (!conn->config.max_calls)
		conn->config.max_calls = RPC_MAX_CALLS;
	r = loop_add_defer(loop, on_failed, conn, &conn->defer);
	if (r == 0)
		r = loop_add_io(loop, fd, EPOLLIN, on_io, conn, &conn->io);
	if (r < 0) {
		rpc_conn_close(conn);
		return r;
	}
	*ret = conn;
	return 0;
}

void rpc_conn_close(struct rpc_conn *conn)
{
	if (!conn || conn->closed)
		return;
	conn->closed = true;
	source_remove(conn->io);
	source_remove(conn->defer);
	conn->io = conn->defer = NULL;
	rpc_server_abandon(conn);
	rpc_client_abandon(conn, ECANCELED, "the connection was closed");
	close(conn->fd);
	conn->fd = -1;
	rpc_conn_unref(conn);
}

void rpc_conn_close_after_flush(struct rpc_conn *conn)
{
	conn->flush_close = true;
	if (!conn->failed)
		flush(conn);
}
