/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: both descriptors are watched edge-triggered, and each event pumps until one
 * of them would block; the edge that ends the block starts the next pump. Nothing is switched on and
 * off, and a hang-up that must wait for the other end costs no turns.
 *
 * A pump moves at most PUMP_MAX bytes, then asks for another turn, so that one busy stream does not
 * starve the rest. A descriptor that epoll does not take (a file) is always ready. One that blocks, as another
 * user's terminal, which cannot be opened anew, is asked before each step whether it would.
 */
#include "shim/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "shim/log_file.h"

#define BUFFER_SIZE (16u << 10)
#define PUMP_MAX    (512u << 10)
#define SMALL_WRITE 256

struct relay {
	int src, dst;
	relay_fn done;
	void *data;
	struct source *src_io, *dst_io, *again;
	bool splice, src_is_socket, dst_is_socket;
	bool src_waits, dst_waits; /* a read of it, a write to it blocks */
	uint64_t count;
	uint64_t keep, trim_at; /* keep 0: everything */
	uint8_t *buffer;        /* made when first needed */
	size_t start, end;
};

static void end(struct relay *relay, int why)
{
	source_remove(relay->src_io);
	source_remove(relay->dst_io);
	source_remove(relay->again);
	relay->src_io = relay->dst_io = relay->again = NULL;
	free(relay->buffer);
	relay->buffer = NULL;
	relay->done(relay, why, relay->data);
}

/* > 0: moved so much. 0: the source has ended. */
static ssize_t move_spliced(struct relay *relay)
{
	ssize_t n = splice(relay->src, NULL, relay->dst, NULL, PUMP_MAX,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	/* Append-only files and some terminals have no splice. */
	if (n < 0 && errno == EINVAL) {
		relay->splice = false;
		return -EINTR;
	}
	return n < 0 ? -errno : n;
}

static ssize_t write_some(struct relay *relay)
{
	const uint8_t *at = relay->buffer + relay->start;
	size_t left = relay->end - relay->start;
	ssize_t n;

	/* POLLOUT promises about so much. */
	if (relay->dst_waits && left > SMALL_WRITE)
		left = SMALL_WRITE;
	n = relay->dst_is_socket ? send(relay->dst, at, left, MSG_DONTWAIT | MSG_NOSIGNAL)
				 : write(relay->dst, at, left);

	if (n < 0)
		return -errno;
	relay->start += (size_t)n;
	return n;
}

static ssize_t move_copied(struct relay *relay)
{
	ssize_t n;

	if (!relay->buffer)
		relay->buffer = malloc(BUFFER_SIZE);
	if (!relay->buffer)
		return -ENOMEM;
	if (relay->start < relay->end)
		return write_some(relay);
	n = relay->src_is_socket ? recv(relay->src, relay->buffer, BUFFER_SIZE, MSG_DONTWAIT)
				 : read(relay->src, relay->buffer, BUFFER_SIZE);
	/* A terminal whose other side has gone says EIO where a pipe has its end. */
	if (n < 0)
		return errno == EIO && isatty(relay->src) ? 0 : -errno;
	if (n == 0)
		return 0;
	relay->start = 0;
	relay->end = (size_t)n;
	return write_some(relay);
}

/* Whether to wait for the next event: of a descriptor that blocks only this tells. */
static bool must_wait(const struct relay *relay)
{
	struct pollfd src = {.fd = relay->src, .events = POLLIN};
	struct pollfd dst = {.fd = relay->dst, .events = POLLOUT};

	return (relay->src_waits && relay->start == relay->end && poll(&src, 1, 0) == 0) ||
	       (relay->dst_waits && poll(&dst, 1, 0) == 0);
}

void relay_keep(struct relay *relay, uint64_t bytes)
{
	relay->keep = bytes;
	relay->trim_at = relay->count;
}

/* Now and then: a hole for each chunk would cost more than the chunk. */
static void trim(struct relay *relay)
{
	if (!relay->keep || relay->count < relay->trim_at)
		return;
	log_file_trim(relay->dst, relay->keep);
	relay->trim_at = relay->count + relay->keep / 4;
}

static void pump(struct relay *relay)
{
	size_t moved = 0;

	while (moved < PUMP_MAX) {
		ssize_t n;

		if (must_wait(relay))
			return;
		n = relay->splice && relay->start == relay->end ? move_spliced(relay)
								: move_copied(relay);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			end(relay, n == -ECONNRESET ? -EPIPE : (int)n);
			return;
		}
		relay->count += (uint64_t)n;
		trim(relay);
		moved += (size_t)n;
	}
	source_defer(relay->again);
}

static void on_event(struct source *source, uint32_t events, void *data)
{
	pump(data);
}

static void on_dst_event(struct source *source, uint32_t events, void *data)
{
	/* A reader that has gone ends the relay also while there is nothing to give it. */
	if (events & (EPOLLERR | EPOLLHUP))
		end(data, -EPIPE);
	else
		pump(data);
}

/* Neither a socket, which is told not to by each call, nor a file, which never does for long. */
static bool waits(int fd, const struct stat *st)
{
	return !S_ISSOCK(st->st_mode) && !S_ISREG(st->st_mode) &&
	       !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static int watch(struct loop *loop, int fd, uint32_t events, loop_fn fn, struct relay *relay,
		 struct source **ret)
{
	int r = loop_add_io(loop, fd, events | EPOLLET, fn, relay, ret);

	return r == -EPERM ? 0 : r;
}

int relay_create(struct loop *loop, int src, int dst, relay_fn done, void *data, struct relay **ret)
{
	_cleanup_(relay_destroy_p) struct relay *relay = calloc(1, sizeof(*relay));
	struct stat from, to;
	int r;

	if (!relay)
		return -ENOMEM;
	if (fstat(src, &from) < 0 || fstat(dst, &to) < 0)
		return -errno;
	relay->src = src;
	relay->dst = dst;
	relay->done = done;
	relay->data = data;
	relay->splice = S_ISFIFO(from.st_mode) || S_ISFIFO(to.st_mode);
	relay->src_is_socket = S_ISSOCK(from.st_mode);
	relay->dst_is_socket = S_ISSOCK(to.st_mode);
	relay->src_waits = waits(src, &from);
	relay->dst_waits = waits(dst, &to);
	/* Nor does it stop at what a terminal or a pipe has room for. */
	if (relay->dst_waits)
		relay->splice = false;
	/* A splice blocks on a socket that blocks, whatever its flags say; recv and send do not. */
	if ((relay->src_is_socket && !(fcntl(src, F_GETFL) & O_NONBLOCK)) ||
	    (relay->dst_is_socket && !(fcntl(dst, F_GETFL) & O_NONBLOCK)))
		relay->splice = false;
	r = loop_add_defer(loop, on_event, relay, &relay->again);
	if (r == 0)
		r = watch(loop, src, EPOLLIN, on_event, relay, &relay->src_io);
	if (r == 0)
		r = watch(loop, dst, EPOLLOUT, on_dst_event, relay, &relay->dst_io);
	if (r < 0)
		return r;
	source_defer(relay->again);
	*ret = TAKE_PTR(relay);
	return 0;
}

void relay_destroy(struct relay *relay)
{
	if (!relay)
		return;
	source_remove(relay->src_io);
	source_remove(relay->dst_io);
	source_remove(relay->again);
	free(relay->buffer);
	free(relay);
}

uint64_t relay_count(const struct relay *relay)
{
	return relay->count;
}
