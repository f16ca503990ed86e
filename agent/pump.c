/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK     65536
#define MAX_STEPS 16

static bool has_data(int fd, bool is_pipe)
{
	int waiting = 0;
	char byte;

	/* A vsock does not know FIONREAD. */
	if (!is_pipe)
		return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static void spend(size_t *left, ssize_t n)
{
	if (left)
		*left -= (size_t)n;
}

enum pump_state pump_splice(int from, int to, bool from_is_pipe, size_t *left)
{
	for (int step = 0; step < MAX_STEPS; step++) {
		size_t chunk = left && *left < CHUNK ? *left : CHUNK;
		ssize_t n;

		/* Of nothing splice(2) says 0 as well. */
		n = splice(from, NULL, to, NULL, chunk, SPLICE_F_NONBLOCK);
		if (n == 0)
			return PUMP_EOF;
		if (n > 0) {
			spend(left, n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno == ECONNRESET && !from_is_pipe ? PUMP_EOF : PUMP_BROKEN;
		/* splice(2) does not tell which side it would have waited for. */
		return has_data(from, from_is_pipe) ? PUMP_BLOCKED : PUMP_STARVED;
	}
	return PUMP_MORE;
}

/*
 * A terminal's master reads as EIO while no slave is open, and goes on when a program opens one again, as
 * systemd does for each of its messages. The end of a terminal is that of its process.
 */
static enum pump_state fill(int from, struct pump_buffer *buffer, size_t *left)
{
	size_t size = left && *left < sizeof(buffer->data) ? *left : sizeof(buffer->data);
	ssize_t n = read(from, buffer->data, size);

	if (n > 0) {
		spend(left, n);
		buffer->begin = 0;
		buffer->end = (size_t)n;
		return PUMP_MORE;
	}
	if (n < 0 && errno == EINTR)
		return PUMP_MORE;
	return n < 0 && (errno == EAGAIN || errno == EIO) ? PUMP_STARVED : PUMP_EOF;
}

enum pump_state pump_copy(int from, int to, struct pump_buffer *buffer, size_t *left)
{
	for (int step = 0; step < MAX_STEPS; step++) {
		enum pump_state state;
		ssize_t n;

		if (buffer->begin == buffer->end) {
			state = fill(from, buffer, left);
			if (state != PUMP_MORE)
				return state;
			if (buffer->begin == buffer->end)
				continue;
		}
		n = write(to, buffer->data + buffer->begin, buffer->end - buffer->begin);
		if (n > 0)
			buffer->begin += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			return PUMP_BLOCKED;
		else if (n < 0 && errno != EINTR)
			return PUMP_BROKEN;
	}
	return PUMP_MORE;
}
