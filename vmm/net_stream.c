/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: frames over a stream socket, each after its length.
 *
 *	0                4
 *	+----------------+-------------------- - - -+
 *	| length (BE32)  | Ethernet frame           |
 *	+----------------+-------------------- - - -+
 *
 * Out: a frame goes from guest memory into the socket by one call. What the socket does not take of
 * it is kept here, and until that has left no other frame goes. In: as much as fits is read at once,
 * and handed out frame by frame.
 *
 * The other end is a program of ours on the host that parses what an untrusted guest and the outside
 * send it. A length that no frame can have ends the backend, as the end of the stream does.
 */
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/net_backend.h"

#define LENGTH  4u
#define IN_SIZE (2 * (LENGTH + NET_MAX_FRAME))

struct stream {
	struct net_backend backend;
	int fd;
	struct source *source;
	bool blocked; /* a send() was turned away */
	/* Begin and end of what is in the buffers. */
	size_t in_begin, in_end, out_begin, out_end;
	uint8_t in[IN_SIZE];
	uint8_t out[LENGTH + NET_MAX_FRAME];
};

static struct stream *stream_of(struct net_backend *backend)
{
	return container_of(backend, struct stream, backend);
}

/* --- out ------------------------------------------------------------------------------------ */

static ssize_t send_segments(int fd, struct iovec *iov, size_t n)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
	ssize_t sent;

	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	return sent;
}

/* The rest of the last frame. 0: it has left. */
static int flush(struct stream *s)
{
	while (s->out_begin < s->out_end) {
		struct iovec iov = {.iov_base = s->out + s->out_begin,
				    .iov_len = s->out_end - s->out_begin};
		ssize_t sent = send_segments(s->fd, &iov, 1);

		if (sent <= 0)
			return sent ? (int)sent : -EAGAIN;
		s->out_begin += (size_t)sent;
	}
	s->out_begin = s->out_end = 0;
	return 0;
}

static int stream_send(struct net_backend *backend, unsigned pair, struct iovec *iov, unsigned n)
{
	const struct virtio_net_hdr_v1 *header = iov[0].iov_base;
	struct stream *s = stream_of(backend);
	size_t size = iov_size(iov + 1, n - 1);
	uint32_t length = htobe32((uint32_t)size);
	ssize_t sent;
	int r = flush(s);

	s->blocked = r == -EAGAIN;
	if (r < 0)
		return r;
	if (header->gso_type != VIRTIO_NET_HDR_GSO_NONE ||
	    (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return -EOPNOTSUPP;
	if (size > NET_MAX_FRAME)
		return -EMSGSIZE;
	iov[0] = (struct iovec){.iov_base = &length, .iov_len = sizeof(length)};
	sent = send_segments(s->fd, iov, n);
	s->blocked = sent == 0;
	if (sent <= 0)
		return sent ? (int)sent : -EAGAIN;
	s->out_end = iov_copy_out(iov, n, (size_t)sent, s->out, LENGTH + size - (size_t)sent);
	return 0;
}

/* --- in ------------------------------------------------------------------------------------- */

/* The length of the frame that begins the buffer, if all of it is there; 0 if not; -EPROTO. */
static ssize_t next_frame(const struct stream *s)
{
	size_t have = s->in_end - s->in_begin;
	uint32_t length;

	if (have < LENGTH)
		return 0;
	memcpy(&length, s->in + s->in_begin, sizeof(length));
	length = be32toh(length);
	if (length < NET_MIN_FRAME || length > NET_MAX_FRAME)
		return -EPROTO;
	return have - LENGTH < length ? 0 : (ssize_t)length;
}

/* 1: more has come; 0: nothing; or -errno. */
static int read_more(struct stream *s)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_begin, s->in_end - s->in_begin);
	s->in_end -= s->in_begin;
	s->in_begin = 0;
	do
		n = recv(s->fd, s->in + s->in_end, sizeof(s->in) - s->in_end, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	s->in_end += (size_t)n;
	return 1;
}

static ssize_t stream_receive(struct net_backend *backend, unsigned pair, const struct iovec *iov,
			      unsigned n)
{
	static const struct virtio_net_hdr_v1 header;
	struct stream *s = stream_of(backend);
	ssize_t length;

	if (pair)
		return 0;
	while ((length = next_frame(s)) == 0) {
		int r = read_more(s);

		if (r <= 0)
			return r;
	}
	if (length < 0)
		return length;
	iov_copy_in(iov, n, 0, &header, sizeof(header));
	iov_copy_in(iov, n, sizeof(header), s->in + s->in_begin + LENGTH, (size_t)length);
	s->in_begin += LENGTH + (size_t)length;
	return (ssize_t)NET_HEADER + length;
}

/* --- life ----------------------------------------------------------------------------------- */

static void stream_configure(struct net_backend *backend, uint64_t features, unsigned pairs)
{
}

static void on_socket(struct source *source, uint32_t events, void *data)
{
	struct stream *s = data;
	const struct net_backend_events *to = &s->backend.events;

	if ((events & EPOLLOUT) && flush(s) != -EAGAIN && s->blocked) {
		s->blocked = false;
		to->writable(to->data);
	}
	/* An end is found by reading, after what came before it. */
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		to->readable(to->data, 0);
}

static void stream_destroy(struct net_backend *backend)
{
	struct stream *s = stream_of(backend);

	source_remove(s->source);
	close_fd(&s->fd);
	free(s);
}

static const struct net_backend_ops stream_ops = {
	.name = "stream",
	.send = stream_send,
	.receive = stream_receive,
	.configure = stream_configure,
	.destroy = stream_destroy,
};

int net_stream_create(struct loop *loop, int fd, const struct net_backend_events *events,
		      struct net_backend **ret, struct err *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int type = 0, r;
	socklen_t len = sizeof(type);

	if (!s) {
		close(fd);
		return err_set(err, ENOMEM, "net: out of memory");
	}
	s->backend = (struct net_backend){.ops = &stream_ops, .events = *events, .pairs = 1};
	s->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM) {
		r = err_set(err, EINVAL, "net: the descriptor is not a stream socket");
	} else {
		r = loop_add_io(loop, fd, EPOLLIN | EPOLLOUT | EPOLLET, on_socket, s, &s->source);
		if (r < 0)
			err_set_errno(err, -r, "net: watching the socket");
	}
	if (r < 0) {
		stream_destroy(&s->backend);
		return r;
	}
	*ret = &s->backend;
	return 0;
}
