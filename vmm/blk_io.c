/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/blk_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/thread.h"

#define ZEROES_CHUNK  65536u
#define DONE_PER_TURN 64

struct blk_io {
	struct loop *loop;
	int done_fd;
	struct source *done_source;
	struct thread thread;
	bool started;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;  /* something is queued, or stop */
	pthread_cond_t idle;  /* current has been dealt with */
	struct list queued, done;
	struct blk_req *current;
	bool stop;
};

/* --- the worker ---------------------------------------------------------------------------- */

static int transfer(struct blk_req *req)
{
	off_t offset = req->offset;

	for (;;) {
		ssize_t n;

		iov_skip(&req->iov, &req->n_iov, 0); /* segments without bytes */
		if (!req->n_iov)
			return 0;
		if (req->op == BLK_READ)
			n = preadv(req->fd, req->iov, (int)req->n_iov, offset);
		else
			n = pwritev(req->fd, req->iov, (int)req->n_iov, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO; /* the file has shrunk since it was attached */
		iov_skip(&req->iov, &req->n_iov, (size_t)n);
		offset += n;
	}
}

static int write_zeroes(int fd, const struct blk_range *range)
{
	static uint8_t zeroes[ZEROES_CHUNK]; /* not const, so that it takes no room in the file */
	uint64_t done = 0;

	while (done < range->len) {
		uint64_t left = range->len - done;
		ssize_t n = pwrite(fd, zeroes, left < ZEROES_CHUNK ? left : ZEROES_CHUNK,
				   (off_t)(range->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int punch(int fd, int mode, const struct blk_range *range)
{
	int r;

	do
		r = fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)range->offset,
			      (off_t)range->len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int deallocate(const struct blk_req *req, const struct blk_range *range)
{
	int r;

	if (!range->len)
		return 0;
	r = punch(req->fd, req->op == BLK_ZERO ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE,
		  range);
	/* Of a disk with larger sectors than the guest is told of, a range may begin or end within one. */
	if (r != -EOPNOTSUPP && r != -EINVAL)
		return r;
	/* A discard is a wish; zeroes are a promise. */
	return req->op == BLK_DISCARD ? 0 : write_zeroes(req->fd, range);
}

static int serve(struct blk_req *req)
{
	int r = 0;

	switch (req->op) {
	case BLK_READ:
	case BLK_WRITE:
		return transfer(req);
	case BLK_FLUSH:
		return fdatasync(req->fd) < 0 ? -errno : 0;
	case BLK_DISCARD:
	case BLK_ZERO_UNMAP:
	case BLK_ZERO:
		for (unsigned i = 0; i < req->n_ranges && !r; i++)
			r = deallocate(req, &req->ranges[i]);
		return r;
	}
	return -EINVAL;
}

static void ring(struct blk_io *io)
{
	uint64_t one = 1;

	/* Cannot fail but at 2^64 - 1 unread rings, which ring as well. */
	if (write(io->done_fd, &one, sizeof(one)) < 0)
		return;
}

static void *worker(void *data)
{
	struct blk_io *io = data;

	pthread_mutex_lock(&io->lock);
	for (;;) {
		struct blk_req *req;
		int result;

		while (list_empty(&io->queued) && !io->stop)
			pthread_cond_wait(&io->work, &io->lock);
		if (io->stop)
			break;
		req = list_entry(io->queued.next, struct blk_req, link);
		list_remove(&req->link);
		io->current = req;
		pthread_mutex_unlock(&io->lock);
		result = serve(req);
		pthread_mutex_lock(&io->lock);
		req->result = result;
		io->current = NULL;
		list_append(&io->done, &req->link);
		pthread_cond_broadcast(&io->idle);
		if (io->done.next == &req->link)
			ring(io);
	}
	pthread_mutex_unlock(&io->lock);
	return NULL;
}

/* --- the loop's side ----------------------------------------------------------------------- */

static struct blk_req *take_done(struct blk_io *io, const void *owner)
{
	struct blk_req *found = NULL;
	struct list *it, *tmp;

	pthread_mutex_lock(&io->lock);
	list_for_each_safe (it, tmp, &io->done) {
		struct blk_req *req = list_entry(it, struct blk_req, link);

		if (!owner || req->owner == owner) {
			list_remove(it);
			found = req;
			break;
		}
	}
	pthread_mutex_unlock(&io->lock);
	return found;
}

/* Calls done() of at most max requests of owner (NULL: anyone's); it may submit the next one. */
static void deliver(struct blk_io *io, const void *owner, unsigned max)
{
	struct blk_req *req;

	while (max-- && (req = take_done(io, owner)))
		req->done(req);
}

static void on_done(struct source *source, uint32_t events, void *data)
{
	struct blk_io *io = data;

	deliver(io, NULL, DONE_PER_TURN);
	pthread_mutex_lock(&io->lock);
	if (!list_empty(&io->done))
		ring(io);
	pthread_mutex_unlock(&io->lock);
}

void blk_io_submit(struct blk_io *io, struct blk_req *req)
{
	req->result = -ECANCELED;
	pthread_mutex_lock(&io->lock);
	list_append(&io->queued, &req->link);
	if (!io->current)
		pthread_cond_signal(&io->work);
	pthread_mutex_unlock(&io->lock);
}

static void drop(struct list *head, const void *owner)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, head)
		if (list_entry(it, struct blk_req, link)->owner == owner)
			list_remove(it);
}

static bool holds(const struct list *head, const void *owner)
{
	for (const struct list *it = head->next; it != head; it = it->next)
		if (list_entry(it, const struct blk_req, link)->owner == owner)
			return true;
	return false;
}

void blk_io_cancel(struct blk_io *io, const void *owner)
{
	pthread_mutex_lock(&io->lock);
	drop(&io->queued, owner);
	while (io->current && io->current->owner == owner)
		pthread_cond_wait(&io->idle, &io->lock);
	drop(&io->done, owner);
	pthread_mutex_unlock(&io->lock);
}

void blk_io_drain(struct blk_io *io, const void *owner)
{
	pthread_mutex_lock(&io->lock);
	while (holds(&io->queued, owner) || (io->current && io->current->owner == owner))
		pthread_cond_wait(&io->idle, &io->lock);
	pthread_mutex_unlock(&io->lock);
	deliver(io, owner, UINT_MAX);
}

static void finish(struct blk_io *io)
{
	source_remove(io->done_source);
	close_fd(&io->done_fd);
	pthread_cond_destroy(&io->idle);
	pthread_cond_destroy(&io->work);
	pthread_mutex_destroy(&io->lock);
	free(io);
}

int blk_io_create(struct loop *loop, struct blk_io **ret)
{
	struct blk_io *io = calloc(1, sizeof(*io));
	int r;

	if (!io)
		return -ENOMEM;
	io->loop = loop;
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->work, NULL);
	pthread_cond_init(&io->idle, NULL);
	list_init(&io->queued);
	list_init(&io->done);
	io->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = io->done_fd < 0 ? -errno : 0;
	/* EPOLLET: each ring is one event, and nobody needs to read the counter down. */
	if (!r)
		r = loop_add_io(loop, io->done_fd, EPOLLIN | EPOLLET, on_done, io,
				&io->done_source);
	if (r < 0) {
		finish(io);
		return r;
	}
	*ret = io;
	return 0;
}

int blk_io_start(struct blk_io *io)
{
	int r = thread_start(&io->thread, "blk", SECCOMP_WORKER, worker, io);

	io->started = r == 0;
	return r;
}

void blk_io_destroy(struct blk_io *io)
{
	if (!io)
		return;
	pthread_mutex_lock(&io->lock);
	io->stop = true;
	pthread_cond_signal(&io->work);
	pthread_mutex_unlock(&io->lock);
	if (io->started)
		pthread_join(io->thread.id, NULL);
	finish(io);
}
