/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: streams.
 *
 * A process gets pipes, not the connections themselves: programs expect that /dev/stdout can be
 * opened again, that a file name stands behind it, that SIGPIPE means what it means. Between a
 * pipe and its connection the kernel splices, so the agent holds no byte: the pipe is full when the
 * connection is, and then the program waits. That is all the back-pressure there is to it.
 *
 *	CONNECTING --each stream is connected, its id sent; a terminal's master has come--> MOVING (relay.h)
 *	     --every stream has ended, or the process has exited and its output is passed on--> ended
 *
 * For init a pipe is at its end when it exits: no process of the pid namespace outlives it. An exec's
 * children may, and still hold the pipe: what they write later goes nowhere, so that a daemon started
 * by an exec does not keep it from being reported.
 */
#include "agent/stdio.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/dial.h"
#include "agent/relay.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/ports.h"

#define CONNECT_TIMEOUT_NS (DIAL_LIMIT_S * 1000000000ull)

/* One that there is not, and one that the relay has, has no descriptors. */
struct stream {
	struct stdio *io;
	uint64_t id;
	bool connecting;
	int sock, fd; /* fd: our end of the pipe, or the master */
	struct source *source;
};

struct stdio {
	struct loop *loop;
	const struct stdio_events *events;
	void *data;
	struct stream streams[3];
	struct source *timer, *connected; /* connected: reports, at the end of a turn */
	struct relay *relay;              /* moves the bytes, until every stream has ended */
	struct err err;
	bool terminal, reported, input_ended, exited;
};

static void close_stream(struct stream *stream)
{
	source_remove(TAKE_PTR(stream->source));
	close_fd(&stream->sock);
	/* A pipe is the container's only once its program runs, and then the relay has it. */
	if (!stream->io->terminal)
		close_fd(&stream->fd);
	else if (stream->fd >= 0)
		relay_close_master(stream->io->loop, TAKE_FD(stream->fd));
	stream->connecting = false;
}

/* --- moving ---------------------------------------------------------------------------------- */

static void on_moved(void *data)
{
	struct stdio *io = data;

	relay_close(TAKE_PTR(io->relay));
	/* Last: the callback may free us. */
	if (io->exited)
		io->events->on_drained(io->data);
}

/* Everything is there that bytes move between. */
static int start_relay(struct stdio *io)
{
	struct relay_lane lanes[RELAY_MAX_LANES];
	size_t n = 0;
	int r;

	for (int i = 0; i < 3; i++) {
		const struct stream *stream = &io->streams[i];
		enum relay_kind kind = i == 0 ? RELAY_INPUT : RELAY_OUTPUT;

		if (stream->sock >= 0)
			lanes[n++] = (struct relay_lane){io->terminal ? RELAY_TERMINAL : kind,
							 stream->sock, stream->fd};
		source_remove(TAKE_PTR(io->streams[i].source));
	}
	r = n ? relay_start(io->loop, lanes, n, on_moved, io, &io->relay) : 0;
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		io->streams[i].sock = io->streams[i].fd = -1;
	if (io->relay && io->input_ended)
		relay_end_input(io->relay);
	return 0;
}

/* --- connecting ------------------------------------------------------------------------------ */

static bool has_master(const struct stdio *io)
{
	return !io->terminal || io->streams[1].fd >= 0;
}

static void on_report(struct source *source, uint32_t events, void *data)
{
	struct stdio *io = data;
	int r;

	if (io->reported)
		return;
	for (int i = 0; i < 3 && !io->err.code; i++) {
		if (io->streams[i].connecting)
			return;
	}
	if (!io->err.code && has_master(io) && (r = start_relay(io)) < 0)
		err_set_errno(&io->err, -r, "a thread for the streams");
	io->reported = true;
	source_arm(io->timer, 0);
	io->events->on_connected(io->err.code ? &io->err : NULL, io->data);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	struct stdio *io = data;

	err_set(&io->err, ETIMEDOUT, "the host does not answer a stream's connection");
	source_defer(io->connected);
}

static int connected(struct stream *stream)
{
	uint64_t id = htole64(stream->id);
	socklen_t len = sizeof(int);
	int error = 0;
	ssize_t n;

	if (getsockopt(stream->sock, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error)
		return -error;
	/* The first bytes of a connection: they fit. */
	n = send(stream->sock, &id, sizeof(id), MSG_NOSIGNAL);
	return n == sizeof(id) ? 0 : n < 0 ? -errno : -EIO;
}

static void on_socket(struct source *source, uint32_t events, void *data)
{
	struct stream *stream = data;
	int r;

	if (!stream->connecting || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return;
	r = connected(stream);
	/* Not connected yet: a stray wake-up. */
	if (r == -ENOTCONN || r == -EAGAIN)
		return;
	if (r < 0)
		err_set_errno(&stream->io->err, -r, "connecting a stream to the host");
	stream->connecting = false;
	source_defer(stream->io->connected);
}

static int dial(struct stream *stream)
{
	stream->sock = dial_start(PORT_STREAM);
	if (stream->sock < 0)
		return stream->sock;
	stream->connecting = true;
	return loop_add_io(stream->io->loop, stream->sock, EPOLLOUT | EPOLLET, on_socket, stream,
			   &stream->source);
}

/* A terminal that nobody watches is still read, lest its programs block. */
static int discard(struct stream *stream)
{
	stream->sock = open("/dev/null", O_RDWR | O_CLOEXEC);
	return stream->sock < 0 ? -errno : 0;
}

static int open_stream(struct stdio *io, int index, uint64_t id, int *ret_child)
{
	struct stream *stream = &io->streams[index];
	int pipe_fds[2], r;

	stream->id = id;
	r = id ? dial(stream) : discard(stream);
	if (r < 0 || io->terminal)
		return r;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	stream->fd = pipe_fds[index == 0 ? 1 : 0];
	*ret_child = pipe_fds[index == 0 ? 0 : 1];
	return io_set_nonblock(stream->fd, true);
}

static int open_all(struct stdio *io, const Agent__Streams *streams, int child_fds[3])
{
	uint64_t ids[3] = {0};
	int r;

	if (streams) {
		ids[1] = streams->stdout;
		/* A terminal is one stream for all three. */
		ids[0] = io->terminal ? 0 : streams->stdin;
		ids[2] = io->terminal ? 0 : streams->stderr;
	}
	r = loop_add_timer(io->loop, on_timeout, io, &io->timer);
	if (r >= 0)
		r = loop_add_defer(io->loop, on_report, io, &io->connected);
	for (int i = 0; i < 3 && r >= 0; i++) {
		if (ids[i] || (io->terminal && i == 1))
			r = open_stream(io, i, ids[i], &child_fds[i]);
	}
	if (r < 0)
		return r;
	source_defer(io->connected);
	return source_arm(io->timer, CONNECT_TIMEOUT_NS);
}

int stdio_open(struct loop *loop, const Agent__Streams *streams, bool terminal,
	       const struct stdio_events *events, void *data, int child_fds[3], struct stdio **ret,
	       struct err *err)
{
	struct stdio *io = calloc(1, sizeof(*io));
	int r;

	for (int i = 0; i < 3; i++)
		child_fds[i] = -1;
	if (!io)
		return err_set(err, ENOMEM, "out of memory");
	*io = (struct stdio){.loop = loop, .events = events, .data = data, .terminal = terminal};
	for (int i = 0; i < 3; i++)
		io->streams[i] = (struct stream){.io = io, .sock = -1, .fd = -1};
	r = open_all(io, streams, child_fds);
	if (r < 0) {
		for (int i = 0; i < 3; i++)
			close_fd(&child_fds[i]);
		stdio_close(io);
		return err_set_errno(err, -r, "opening the streams");
	}
	*ret = io;
	return 0;
}

void stdio_close(struct stdio *io)
{
	if (!io)
		return;
	for (int i = 0; i < 3; i++)
		close_stream(&io->streams[i]);
	relay_close(io->relay);
	source_remove(io->timer);
	source_remove(io->connected);
	free(io);
}

/* --- what the process's owner asks for ------------------------------------------------------- */

int stdio_set_terminal(struct stdio *io, int master)
{
	struct stream *stream = &io->streams[1];
	int r;

	if (!io->terminal || io->relay || stream->sock < 0 || stream->fd >= 0) {
		relay_close_master(io->loop, master);
		return -EINVAL;
	}
	stream->fd = master;
	r = io_set_nonblock(master, true);
	/* Otherwise the stream is not connected yet. */
	if (r >= 0 && io->reported)
		r = start_relay(io);
	return r;
}

int stdio_resize(struct stdio *io, uint16_t rows, uint16_t columns)
{
	if (!io->terminal || !io->relay)
		return -EINVAL;
	relay_resize(io->relay, rows, columns);
	return 0;
}

int stdio_close_stdin(struct stdio *io)
{
	if (io->terminal)
		return -EINVAL;
	io->input_ended = true;
	if (io->relay)
		relay_end_input(io->relay);
	return 0;
}

void stdio_exited(struct stdio *io)
{
	io->exited = true;
	if (io->relay)
		relay_drain(io->relay);
	else
		io->events->on_drained(io->data);
}
