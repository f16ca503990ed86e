/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to sbx-share: a SOCK_SEQPACKET socket, a FUSE request a message, a FUSE answer a message.
 * With a request may go the descriptor that it names by its handle; with an answer comes the one that
 * was opened. See virtio_fs.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/io.h"
#include "common/loop.h"
#include "vmm/virtio_fs_internal.h"

#define ANSWERS_PER_TURN 64

static void watch(struct fs *fs)
{
	uint32_t events = fs->dev.paused ? 0 : EPOLLIN;

	if (fs->link)
		source_set_events(fs->link, events | (fs->link_full ? EPOLLOUT : 0));
}

void fs_link_hold(struct fs *fs, bool on)
{
	watch(fs);
}

void fs_link_close(struct fs *fs)
{
	source_remove(fs->link);
	fs->link = NULL;
	close_fd(&fs->link_fd);
}

static void lost(struct fs *fs, const char *why)
{
	log_limited(&fs->dev.log_limit, LOG_ERROR, "fs: sbx-share %s", why);
	fs_link_close(fs);
	fs->link_lost = true;
	fs->link_full = false;
	fs_drop_shared(fs, ENOTCONN);
	/* What waits is answered too. */
	for (unsigned i = 0; i < VIRTIO_FS_QUEUES; i++)
		virtio_kick(&fs->dev, i);
}

int fs_link_send(struct fs *fs, const uint8_t *buf, size_t n, int fd)
{
	ssize_t sent = sock_send(fs->link_fd, buf, n, &fd, fd >= 0, MSG_DONTWAIT);

	if (sent == (ssize_t)n)
		return 0;
	/* ENOBUFS, ETOOMANYREFS: the kernel has enough in flight, as with EAGAIN. */
	if (sent == -EAGAIN || sent == -ENOBUFS || sent == -ETOOMANYREFS || sent == -ENOMEM) {
		fs->link_full = true;
		watch(fs);
		return -EAGAIN;
	}
	return -ENOTCONN; /* reading says so as well, and takes the link down */
}

/* 1: one answer was taken; 0: none is there; or -errno. */
static int receive(struct fs *fs, int flags)
{
	int fds[IO_MAX_FDS], r;
	struct fuse_out_header head;
	size_t n_fds = 0;
	ssize_t n = sock_recv(fs->link_fd, fs->reply, sizeof(fs->reply), fds, &n_fds, flags);

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n <= 0)
		return n < 0 ? (int)n : -ENODATA;
	for (size_t i = 1; i < n_fds; i++)
		close(fds[i]);
	if ((size_t)n >= sizeof(head)) {
		memcpy(&head, fs->reply, sizeof(head));
		if (n_fds <= 1 && head.len == (size_t)n) {
			r = fs_shared_done(fs, head.unique, fs->reply, (size_t)n,
					   n_fds ? fds[0] : -1);
			return r < 0 ? r : 1;
		}
	}
	if (n_fds)
		close(fds[0]);
	return -EPROTO;
}

static void lost_by(struct fs *fs, int error)
{
	lost(fs, error == -EPROTO ? "sent what is no answer" : "is gone");
}

void fs_link_drain(struct fs *fs)
{
	while (fs->link && fs_shared_pending(fs)) {
		int r = receive(fs, 0);

		/* A socket that does not wait is no way to drain. */
		if (r <= 0)
			lost_by(fs, r);
	}
}

static void on_link(struct source *source, uint32_t events, void *data)
{
	struct fs *fs = data;
	int r = 1;

	if (events & EPOLLOUT && fs->link_full) {
		fs->link_full = false;
		watch(fs);
		for (unsigned i = 0; i < VIRTIO_FS_QUEUES; i++)
			virtio_kick(&fs->dev, i);
	}
	/* Held, only the end is news, and it keeps. */
	if (fs->dev.paused)
		return;
	for (unsigned i = 0; i < ANSWERS_PER_TURN && r > 0 && fs->link; i++)
		r = receive(fs, MSG_DONTWAIT);
	if (r < 0)
		lost_by(fs, r);
}

int virtio_fs_attach(struct virtio_device *dev, int fd, struct err *err)
{
	struct fs *fs = container_of(dev, struct fs, dev);
	_cleanup_close_ int owned = fd;
	socklen_t len = sizeof(int);
	int type = 0, size = 4 << 20, r;

	if (fs->link_fd >= 0 || fs->link_lost)
		return err_set(err, EBUSY, "fs: attached already");
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return err_set(err, EINVAL, "fs: not a SOCK_SEQPACKET socket");
	/* A wish: what the system allows is room for one request at least. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = loop_add_io(dev->loop, fd, EPOLLIN, on_link, fs, &fs->link);
	if (r < 0)
		return err_set_errno(err, -r, "fs");
	fs->link_fd = TAKE_FD(owned);
	watch(fs);
	for (unsigned i = 0; i < VIRTIO_FS_QUEUES; i++)
		virtio_kick(dev, i);
	return 0;
}
