/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The side of the Unix sockets: the listener, the greeting of a process that wants to reach the
 * guest, and connections to the processes that wait for the guest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/opts.h"
#include "vmm/vsock_mux_internal.h"

#define BACKLOG      128
#define ACCEPTS      32          /* per turn */
#define GREETING_MAX 32          /* "CONNECT 4294967295\n" and then some */
#define FIRST_PORT   0x40000000u /* of our ends; the guest's listeners see them as peers */
#define LAST_PORT    0x7fffffffu

static bool rest(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void take_one(struct vsock_mux *mux, int fd)
{
	struct vsock_conn *conn;

	if (!mux->open) {
		close(fd);
		return;
	}
	if (vsock_mux_add(mux, fd, VSOCK_GREETING, &conn) == 0)
		vsock_mux_start_timer(conn);
}

static void on_listener(struct source *source, uint32_t events, void *data)
{
	struct vsock_mux *mux = data;

	for (unsigned i = 0; i < ACCEPTS; i++) {
		int fd = accept4(mux->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_one(mux, fd);
			continue;
		}
		if (rest(errno)) {
			/* It would be reported at once again. */
			mux->deaf = true;
			source_set_events(mux->listener, 0);
			vsock_mux_arm(mux);
		}
		return;
	}
}

int vsock_host_listen(struct vsock_mux *mux)
{
	int r = sock_listen_at(mux->config.dirfd, "vsock", BACKLOG, &mux->listen_fd);

	if (r < 0)
		return r;
	return loop_add_io(mux->loop, mux->listen_fd, EPOLLIN, on_listener, mux, &mux->listener);
}

void vsock_host_hear_again(struct vsock_mux *mux)
{
	mux->deaf = false;
	source_set_events(mux->listener, EPOLLIN);
}

void vsock_host_close(struct vsock_mux *mux)
{
	source_remove(mux->listener);
	close_fd(&mux->listen_fd);
}

/* "CONNECT <port>", any case, without its end of line. */
static int parse_greeting(char *line, uint32_t *ret_port)
{
	static const char word[] = "CONNECT ";
	uint64_t port;

	if (strncasecmp(line, word, sizeof(word) - 1) != 0 ||
	    parse_uint(line + sizeof(word) - 1, &port) < 0 || port > UINT32_MAX)
		return -EINVAL;
	*ret_port = (uint32_t)port;
	return 0;
}

/*
 * Takes exactly the first line off the socket: what follows it is the stream's. Returns its length,
 * 0: not yet whole, or -errno.
 */
static int read_line(int fd, char line[GREETING_MAX + 1])
{
	ssize_t n = recv(fd, line, GREETING_MAX, MSG_PEEK | MSG_DONTWAIT);
	const char *end;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ENODATA;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return n == GREETING_MAX ? -EINVAL : 0;
	n = end - line + 1;
	if (recv(fd, line, (size_t)n, MSG_DONTWAIT) != n)
		return -EIO;
	line[n - 1] = '\0';
	return (int)n;
}

static int name_host_end(struct vsock_conn *conn, uint32_t guest_port)
{
	struct vsock_mux *mux = conn->mux;

	/* One more try than there are connections always finds a free one. */
	for (unsigned i = 0; i <= VSOCK_MAX_CONNS; i++) {
		if (mux->next_port < FIRST_PORT || mux->next_port > LAST_PORT)
			mux->next_port = FIRST_PORT;
		if (vsock_mux_name(conn, mux->next_port++, guest_port) == 0)
			return 0;
	}
	return -EADDRINUSE;
}

void vsock_host_greet(struct vsock_conn *conn)
{
	char line[GREETING_MAX + 1];
	uint32_t port;
	int n = read_line(conn->fd, line);

	if (n == 0 && !conn->hangup)
		return;
	if (n <= 0 || parse_greeting(line, &port) < 0 || name_host_end(conn, port) < 0) {
		vsock_mux_remove(conn);
		return;
	}
	conn->state = VSOCK_CONNECTING;
	conn->pending = VSOCK_SEND_REQUEST;
	conn->readable = true;
	vsock_mux_start_timer(conn);
	vsock_mux_settle(conn);
}

int vsock_host_accept(struct vsock_conn *conn)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "OK %u\n", conn->host_port);
	ssize_t sent = send(conn->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);

	/* Nothing was sent on this socket before: it has room, or nobody is there. */
	return sent == n ? 0 : -EPIPE;
}

int vsock_host_connect(struct vsock_mux *mux, uint32_t port)
{
	char name[32];
	int fd, r;

	snprintf(name, sizeof(name), "vsock_%u", port);
	r = sock_connect_at(mux->config.dirfd, name, &fd);
	return r < 0 ? r : fd;
}
