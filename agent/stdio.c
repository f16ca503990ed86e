/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: streams.
 *
 * A process gets pipes, not the connections themselves: programs expect that /dev/stdout can be
 * opened again, that a file name stands behind it, that SIGPIPE means what it means. Between a
 * pipe and its connection the kernel splices, so the agent holds no byte: the pipe is full when the
 * connection is, and then the program waits. That is all the back-pressure there is to it.
 *
 * Both descriptors of a stream are watched edge-triggered, and any event pumps until one side has
 * no more, so a level that lasts (a hang-up, a writable socket) never spins the loop. A stream
 * takes at most its share of a turn and comes back by a deferred call.
 *
 *	CONNECTING --writable--> OPEN --end, or broken--> CLOSED
 *	     the id is sent           ^ a terminal's stream waits here for its master
 *
 * After the process's exit an output stream is closed when its pipe is at its end, or empty. For
 * init it is at its end then: no process of the pid namespace outlives it. An exec's children may,
 * and still hold the pipe: what they write later goes nowhere, so that a daemon started by an exec
 * does not keep it from being reported.
 */
#include "agent/stdio.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "agent/dial.h"
#include "agent/pump.h"
#include "common/io.h"
#include "common/loop.h"
#include "common/ports.h"

#define CONNECT_TIMEOUT_NS (DIAL_LIMIT_S * 1000000000ull)

enum stream_state { STREAM_NONE, STREAM_CONNECTING, STREAM_OPEN, STREAM_CLOSED };

struct stream {
	struct stdio *io;
	enum stream_state state;
	bool input;    /* host to process; a terminal does both */
	bool terminal; /* fd is a master */
	uint64_t id;
	int sock, fd; /* fd: our end of the pipe, or the master */
	struct source *sock_source, *fd_source, *again;
	struct pump_buffer *to_host, *to_process; /* of a terminal */
	bool input_ended;
	bool finish; /* close once what has come was passed on */
};

struct stdio {
	struct loop *loop;
	const struct stdio_events *events;
	void *data;
	struct stream streams[3];
	struct source *timer, *connected; /* connected: reports, at the end of a turn */
	struct err err;
	bool terminal, reported, exited, drained;
};

static void close_stream(struct stream *stream)
{
	if (stream->state == STREAM_NONE)
		return;
	source_remove(TAKE_PTR(stream->sock_source));
	source_remove(TAKE_PTR(stream->fd_source));
	source_remove(TAKE_PTR(stream->again));
	close_fd(&stream->sock);
	close_fd(&stream->fd);
	free(TAKE_PTR(stream->to_host));
	free(TAKE_PTR(stream->to_process));
	stream->state = STREAM_CLOSED;
}

static void check_drained(struct stdio *io)
{
	if (!io->exited || io->drained)
		return;
	for (int i = 0; i < 3; i++) {
		if (io->streams[i].state == STREAM_CONNECTING ||
		    io->streams[i].state == STREAM_OPEN)
			return;
	}
	io->drained = true;
	io->events->on_drained(io->data);
}

static bool ended(enum pump_state state)
{
	return state == PUMP_EOF || state == PUMP_BROKEN;
}

/* One turn's share of work. true: the stream is through. */
static bool pump_terminal(struct stream *stream)
{
	enum pump_state out, in = PUMP_STARVED;

	out = pump_copy(stream->fd, stream->sock, stream->to_host);
	/* The host's end of input leaves the terminal alone: there is nothing to close. */
	if (!stream->input_ended && !stream->finish) {
		in = pump_copy(stream->sock, stream->fd, stream->to_process);
		stream->input_ended = ended(in);
	}
	if (ended(out) || (stream->finish && out == PUMP_STARVED))
		return true;
	if (out == PUMP_MORE || in == PUMP_MORE)
		source_defer(stream->again);
	return false;
}

static bool pump_pipe(struct stream *stream)
{
	enum pump_state state;

	if (stream->input)
		state = pump_splice(stream->sock, stream->fd, false);
	else
		state = pump_splice(stream->fd, stream->sock, true);
	if (state == PUMP_MORE)
		source_defer(stream->again);
	return ended(state) || (stream->finish && state == PUMP_STARVED);
}

static void pump(struct stream *stream)
{
	struct stdio *io = stream->io;

	if (stream->state != STREAM_OPEN || stream->fd < 0)
		return;
	if (stream->terminal ? !pump_terminal(stream) : !pump_pipe(stream))
		return;
	close_stream(stream);
	/* Last: the callback may free us. */
	check_drained(io);
}

static void on_pump(struct source *source, uint32_t events, void *data)
{
	pump(data);
}

/* --- connecting ------------------------------------------------------------------------------ */

static void on_report(struct source *source, uint32_t events, void *data)
{
	struct stdio *io = data;

	if (io->reported)
		return;
	for (int i = 0; i < 3 && !io->err.code; i++) {
		if (io->streams[i].state == STREAM_CONNECTING)
			return;
	}
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

	if (stream->state == STREAM_CONNECTING) {
		if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
			return;
		r = connected(stream);
		/* Not connected yet: a stray wake-up. */
		if (r == -ENOTCONN || r == -EAGAIN)
			return;
		if (r < 0)
			err_set_errno(&stream->io->err, -r, "connecting a stream to the host");
		stream->state = r < 0 ? STREAM_CLOSED : STREAM_OPEN;
		source_defer(stream->io->connected);
	}
	pump(stream);
}

static int watch_fd(struct stream *stream)
{
	int r = io_set_nonblock(stream->fd, true);

	if (r >= 0)
		r = loop_add_io(stream->io->loop, stream->fd, EPOLLIN | EPOLLOUT | EPOLLET, on_pump,
				stream, &stream->fd_source);
	return r;
}

static int dial(struct stream *stream)
{
	stream->sock = dial_start(PORT_STREAM);
	if (stream->sock < 0)
		return stream->sock;
	return loop_add_io(stream->io->loop, stream->sock,
			   EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_socket, stream,
			   &stream->sock_source);
}

/* A terminal that nobody watches is still read, lest its programs block. */
static int discard(struct stream *stream)
{
	stream->sock = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (stream->sock < 0)
		return -errno;
	stream->state = STREAM_OPEN;
	return 0;
}

static int open_stream(struct stdio *io, int index, uint64_t id, int *ret_child)
{
	struct stream *stream = &io->streams[index];
	int pipe_fds[2], r;

	*stream = (struct stream){.io = io, .id = id, .sock = -1, .fd = -1};
	stream->state = STREAM_CONNECTING;
	stream->input = index == 0;
	stream->terminal = io->terminal;
	r = loop_add_defer(io->loop, on_pump, stream, &stream->again);
	if (r >= 0)
		r = id ? dial(stream) : discard(stream);
	if (r < 0)
		return r;
	if (stream->terminal) {
		stream->to_host = calloc(1, sizeof(*stream->to_host));
		stream->to_process = calloc(1, sizeof(*stream->to_process));
		return stream->to_host && stream->to_process ? 0 : -ENOMEM;
	}
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	stream->fd = pipe_fds[stream->input ? 1 : 0];
	*ret_child = pipe_fds[stream->input ? 0 : 1];
	return watch_fd(stream);
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
	source_remove(io->timer);
	source_remove(io->connected);
	free(io);
}

/* --- what the process's owner asks for ------------------------------------------------------- */

int stdio_set_terminal(struct stdio *io, int master)
{
	struct stream *stream = &io->streams[1];

	if (!io->terminal || stream->fd >= 0 || stream->state == STREAM_CLOSED) {
		close(master);
		return -EINVAL;
	}
	stream->fd = master;
	return watch_fd(stream);
}

int stdio_resize(struct stdio *io, uint16_t rows, uint16_t columns)
{
	struct winsize size = {.ws_row = rows, .ws_col = columns};

	if (!io->terminal || io->streams[1].fd < 0)
		return -EINVAL;
	return ioctl(io->streams[1].fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

int stdio_close_stdin(struct stdio *io)
{
	struct stream *stream = &io->streams[0];

	if (io->terminal)
		return -EINVAL;
	/* What the host has sent before it asked may still lie in the connection. */
	stream->finish = true;
	if (stream->state == STREAM_OPEN)
		source_defer(stream->again);
	return 0;
}

void stdio_exited(struct stdio *io)
{
	io->exited = true;
	close_stream(&io->streams[0]);
	for (int i = 1; i < 3; i++) {
		struct stream *stream = &io->streams[i];

		stream->finish = true;
		if (stream->state == STREAM_OPEN && stream->fd < 0)
			close_stream(stream);
		else if (stream->state == STREAM_OPEN)
			source_defer(stream->again);
	}
	check_drained(io);
}
