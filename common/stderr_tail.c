/* SPDX-License-Identifier: Apache-2.0 */
#include "common/stderr_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define PIPE_SIZE 65536 /* pipe(7): what one holds where nobody says otherwise */

int stderr_tail_open(struct stderr_tail *tail, int *ret_fd)
{
	int fds[2], r;

	*tail = (struct stderr_tail){.fd = -1};
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = io_set_nonblock(fds[0], true);
	if (r < 0) {
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	tail->fd = fds[0];
	*ret_fd = fds[1];
	return 0;
}

void stderr_tail_close(struct stderr_tail *tail)
{
	close_fd(&tail->fd);
}

void stderr_tail_add(struct stderr_tail *tail, const char *data, size_t n)
{
	size_t keep;

	if (n > sizeof(tail->bytes)) {
		data += n - sizeof(tail->bytes);
		n = sizeof(tail->bytes);
	}
	keep = sizeof(tail->bytes) - n < tail->n ? sizeof(tail->bytes) - n : tail->n;
	memmove(tail->bytes, tail->bytes + tail->n - keep, keep);
	memcpy(tail->bytes + keep, data, n);
	tail->n = keep + n;
}

int stderr_tail_read(struct stderr_tail *tail)
{
	char buf[4096];

	/* Bounded, as a process that was left behind may write faster than we read. */
	for (size_t total = 0; total < PIPE_SIZE;) {
		ssize_t n = read(tail->fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : errno == EAGAIN ? 1 : -errno;
		stderr_tail_add(tail, buf, (size_t)n);
		total += (size_t)n;
	}
	return 1;
}

static size_t put(char *msg, size_t at, size_t max, const char *text)
{
	while (*text && at + 1 < max)
		msg[at++] = *text++;
	return at;
}

void stderr_tail_tell(const struct stderr_tail *tail, struct err *err)
{
	const char *between = ": ";
	size_t at;

	if (!err)
		return;
	at = strlen(err->msg);
	for (size_t i = 0; i < tail->n; i++) {
		char c = tail->bytes[i], text[2] = {c >= 0x20 && c < 0x7f ? c : '?'};

		if (c == '\n' || c == '\r') {
			between = between ? between : " | ";
			continue;
		}
		if (between)
			at = put(err->msg, at, sizeof(err->msg), between);
		between = NULL;
		at = put(err->msg, at, sizeof(err->msg), text);
	}
	err->msg[at] = '\0';
}
