/* SPDX-License-Identifier: Apache-2.0 */
/* The way from the data half: a FUSE request a message, a FUSE answer a message; see share.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/loop.h"
#include "vmm/fuse_proto.h"
#include "vmm/share.h"

#define REQUESTS_PER_TURN 32

struct share_link {
	struct share *share;
	int fd;
	struct source *source;
	void (*on_close)(void *data);
	void *data;
	/* The answer that the socket had no room for: until it has gone nothing more is read. */
	size_t pending;
	int pending_fd;
	uint8_t request[FUSE_PROTO_MAX_REQUEST];
	uint8_t reply[FUSE_PROTO_MAX_REPLY];
};

/* 0; -EAGAIN: it waits; or -errno. */
static int send_pending(struct share_link *link)
{
	ssize_t n = sock_send(link->fd, link->reply, link->pending, &link->pending_fd,
			      link->pending_fd >= 0, MSG_DONTWAIT);

	if (n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM || n == -ETOOMANYREFS) {
		source_set_events(link->source, EPOLLOUT);
		return -EAGAIN;
	}
	close_fd(&link->pending_fd);
	link->pending = 0;
	return n < 0 ? (int)n : 0;
}

/* 1: one request was served; 0: none is there, or its answer waits; or -errno. */
static int serve_one(struct share_link *link)
{
	int fds[IO_MAX_FDS], r;
	size_t n_fds = 0;
	ssize_t n = sock_recv(link->fd, link->request, sizeof(link->request), fds, &n_fds,
			      MSG_DONTWAIT);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return n < 0 ? (int)n : -ENODATA;
	link->pending = share_serve(link->share, link->request, (size_t)n, n_fds ? fds[0] : -1,
				    link->reply, &link->pending_fd);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	if (!link->pending)
		return 1;
	r = send_pending(link);
	return r == -EAGAIN ? 0 : r < 0 ? r : 1;
}

static void on_link(struct source *source, uint32_t events, void *data)
{
	struct share_link *link = data;
	int r = 1;

	if (link->pending) {
		r = send_pending(link);
		if (r == -EAGAIN)
			return;
		if (r == 0) {
			source_set_events(source, EPOLLIN);
			r = 1;
		}
	}
	for (unsigned i = 0; i < REQUESTS_PER_TURN && r > 0; i++)
		r = serve_one(link);
	if (r < 0) {
		source_remove(link->source);
		link->source = NULL;
		link->on_close(link->data);
	}
}

int share_link_create(struct share *share, struct loop *loop, int fd, void (*on_close)(void *data),
		      void *data, struct share_link **ret)
{
	_cleanup_close_ int owned = fd;
	struct share_link *link = calloc(1, sizeof(*link));
	int size = 4 << 20, r;

	if (!link)
		return -ENOMEM;
	link->share = share;
	link->pending_fd = -1;
	link->on_close = on_close;
	link->data = data;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* a wish */
	r = loop_add_io(loop, fd, EPOLLIN, on_link, link, &link->source);
	if (r < 0) {
		free(link);
		return r;
	}
	link->fd = TAKE_FD(owned);
	*ret = link;
	return 0;
}

void share_link_destroy(struct share_link *link)
{
	if (!link)
		return;
	source_remove(link->source);
	close_fd(&link->pending_fd);
	close_fd(&link->fd);
	free(link);
}
