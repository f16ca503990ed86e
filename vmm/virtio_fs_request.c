/* SPDX-License-Identifier: Apache-2.0 */
/* A file system device's requests: from the ring to who serves them, and back; see virtio_fs.c. */
#include <errno.h>
#include <string.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/virtio_fs_internal.h"

#define REQUESTS_PER_TURN 64
#define WRITE_HEAD        (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* --- the end of a request ------------------------------------------------------------------ */

void fs_request_free(struct fs_request *req)
{
	struct fs *fs = req->fs;

	fs_handles_put(&fs->handles, TAKE_PTR(req->handle));
	fs_handles_put(&fs->handles, TAKE_PTR(req->handle_out));
	req->where = FS_FREE;
	req->serial++;
	req->next_free = fs->free;
	fs->free = req;
}

void fs_request_push(struct fs_request *req, int error, uint32_t len)
{
	struct fs *fs = req->fs;
	struct fuse_out_header out = {
		.len = len,
		.error = -error,
		.unique = req->fuse.h.unique,
	};

	if (error)
		fs->errors++;
	if (!fs->dev.failed) {
		chain_write(req->chain, 0, &out, sizeof(out));
		virtq_push(&fs->dev.queues[req->queue], req->chain->head, len);
	}
	fs_request_free(req);
}

void fs_request_fail(struct fs_request *req, int error)
{
	fs_request_push(req, error, FS_HEAD);
}

void fs_request_answer(struct fs_request *req, const void *body, size_t size)
{
	size_t n = chain_write(req->chain, FS_HEAD, body, size);

	fs_request_push(req, 0, (uint32_t)(FS_HEAD + n));
}

void fs_request_written(struct fs_request *req)
{
	const struct fuse_write_out out = {.size = (uint32_t)req->result};

	req->fs->writes++;
	req->fs->write_bytes += (uint64_t)req->result;
	fs_request_answer(req, &out, sizeof(out));
}

static void finish_data(struct fs_request *req)
{
	struct fs *fs = req->fs;
	int64_t n = req->result;

	if (n < 0) {
		fs_request_fail(req, (int)-n);
		return;
	}
	switch (req->fuse.h.opcode) {
	case FUSE_READ:
		fs->reads++;
		fs->read_bytes += (uint64_t)n;
		fs_request_push(req, 0, (uint32_t)(FS_HEAD + (uint64_t)n));
		return;
	case FUSE_WRITE:
		/* Where it cannot be asked, a bit is lost that grants something: the safe side. */
		if (!req->transfer.restore || fs_shared_restore(fs, req) < 0)
			fs_request_written(req);
		return;
	case FUSE_COPY_FILE_RANGE:
		fs_request_answer(req, &(struct fuse_write_out){.size = (uint32_t)n},
				  sizeof(struct fuse_write_out));
		return;
	case FUSE_LSEEK:
		fs_request_answer(req, &(struct fuse_lseek_out){.offset = (uint64_t)n},
				  sizeof(struct fuse_lseek_out));
		return;
	default:
		fs_request_fail(req, 0);
	}
}

void fs_go_on(struct fs *fs, unsigned queue, bool starved)
{
	if (starved && virtio_serving(&fs->dev))
		source_defer(fs->again);
	virtio_notify_used(&fs->dev, queue);
}

static void on_job_done(struct job *job)
{
	struct fs_request *req = container_of(job, struct fs_request, job);
	struct fs *fs = req->fs;
	unsigned queue = req->queue;
	bool starved = !fs->free;

	finish_data(req);
	fs_go_on(fs, queue, starved);
}

/* --- data: served here --------------------------------------------------------------------- */

static void run_job(struct job *job)
{
	struct fs_request *req = container_of(job, struct fs_request, job);

	req->result = fs_data_serve(&req->transfer);
}

static uint64_t handle_of(const struct fuse_request *fuse)
{
	switch (fuse->h.opcode) {
	case FUSE_READ:
		return fuse->read.fh;
	case FUSE_WRITE:
		return fuse->write.fh;
	case FUSE_FSYNC:
		return fuse->fsync.fh;
	case FUSE_FALLOCATE:
		return fuse->fallocate.fh;
	case FUSE_LSEEK:
		return fuse->lseek.fh;
	default:
		return fuse->copy.fh_in;
	}
}

/* The segments that hold the data, cut to its size. */
static int plan_segments(struct fs_request *req)
{
	const struct virtq_chain *chain = req->chain;
	struct fs_transfer *t = &req->transfer;
	bool read = req->fuse.h.opcode == FUSE_READ;
	unsigned n = read ? chain->n_in : chain->n_out;
	uint32_t size = read ? req->fuse.read.size : req->fuse.write.size;

	if (!read && size > chain->out_len - WRITE_HEAD)
		return -EINVAL;
	memcpy(req->iov, chain->iov + (read ? chain->n_out : 0), n * sizeof(*req->iov));
	t->iov = req->iov;
	t->n_iov = n;
	iov_skip(&t->iov, &t->n_iov, read ? FS_HEAD : WRITE_HEAD);
	t->n_iov = iov_truncate(t->iov, t->n_iov, size);
	return 0;
}

static int start_data(struct fs *fs, struct fs_request *req)
{
	uint32_t opcode = req->fuse.h.opcode;
	int r;

	req->handle = fs_handles_get(&fs->handles, handle_of(&req->fuse));
	if (opcode == FUSE_COPY_FILE_RANGE)
		req->handle_out = fs_handles_get(&fs->handles, req->fuse.copy.fh_out);
	if (!req->handle || (opcode == FUSE_COPY_FILE_RANGE && !req->handle_out))
		return -EBADF;
	req->transfer = (struct fs_transfer){
		.req = &req->fuse,
		.fd = req->handle->fd,
		.fd_out = req->handle_out ? req->handle_out->fd : -1,
	};
	if (opcode == FUSE_READ || opcode == FUSE_WRITE) {
		r = plan_segments(req);
		if (r < 0)
			return r;
	}
	req->where = FS_WORKER;
	workers_submit(fs->workers, &req->job);
	return 0;
}

/* --- the start of a request ---------------------------------------------------------------- */

/* Copies the request, all but a WRITE's data, to fs->buf. Returns its length, or -errno. */
static int copy_out(struct fs *fs, const struct fs_request *req)
{
	struct fuse_in_header head;
	size_t want = req->chain->out_len;

	if (chain_read(req->chain, 0, &head, sizeof(head)) < sizeof(head))
		return -EPROTO;
	if (head.opcode == FUSE_WRITE)
		want = want < WRITE_HEAD ? want : WRITE_HEAD;
	else if (want > sizeof(fs->buf))
		want = sizeof(
			head); /* too long for any request: its head says enough to refuse it */
	return (int)chain_read(req->chain, 0, fs->buf, want);
}

/* 0: under way or answered. -EAGAIN: to be started later. Other errors: the answer. */
static int dispatch(struct fs *fs, struct fs_request *req, size_t len)
{
	switch (req->fuse.h.opcode) {
	case FUSE_RELEASE:
		fs_request_fail(req, -fs_handles_release(&fs->handles, req->fuse.release.fh));
		return 0;
	case FUSE_FLUSH:
	case FUSE_ACCESS:
		return -ENOSYS; /* nothing is held back; the guest's kernel asks once, and checks itself */
	default:
		return fs_data_serves(req->fuse.h.opcode) ? start_data(fs, req)
							  : fs_shared_start(fs, req, len);
	}
}

/* 0; -EAGAIN: put back; -EPROTO: the driver broke the framing. */
static int start(struct fs *fs, struct fs_request *req)
{
	int len = copy_out(fs, req), r;

	r = len < 0 ? len : fuse_decode(fs->buf, (size_t)len, &req->fuse);
	if (r == -EPROTO || (!fuse_is_silent(req->fuse.h.opcode) && req->chain->in_len < FS_HEAD))
		return -EPROTO;
	/* Nothing of it points into the copy any more, which the next request will overwrite. */
	req->fuse.name = req->fuse.name2 = NULL;
	req->fuse.data = NULL;
	if (!r)
		r = dispatch(fs, req, (size_t)len);
	if (r == -EAGAIN)
		return r;
	fs->requests++;
	if (r < 0 && fuse_is_silent(req->fuse.h.opcode))
		fs_request_push(req, 0, 0);
	else if (r < 0)
		fs_request_fail(req, -r);
	return 0;
}

static bool can_start(const struct fs *fs)
{
	/* Parked, the guest waits. Lost, it is told. */
	return fs->free && !fs->link_full && (fs->link_fd >= 0 || fs->link_lost);
}

/* At most max requests. 1: more may be waiting; 0: none, or they cannot be started; or -errno. */
static int pop_requests(struct fs *fs, unsigned queue, unsigned max)
{
	struct virtq *vq = &fs->dev.queues[queue];

	while (can_start(fs)) {
		struct fs_request *req = fs->free;
		int r;

		if (!max--)
			return 1;
		r = virtq_pop(vq, req->chain);
		if (r <= 0)
			return r;
		fs->free = req->next_free;
		req->queue = queue;
		r = start(fs, req);
		if (r < 0)
			fs_request_free(req);
		if (r == -EAGAIN) {
			virtq_unpop(vq);
			return 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void fs_serve_queue(struct fs *fs, unsigned queue)
{
	struct virtq *vq = &fs->dev.queues[queue];
	int r;

	virtq_disable_notify(vq);
	do
		r = pop_requests(fs, queue, REQUESTS_PER_TURN);
	while (!r && can_start(fs) && virtq_enable_notify(vq));
	if (r < 0)
		virtio_fail(&fs->dev, "broken request");
	else if (r)
		source_defer(fs->again);
	virtio_notify_used(&fs->dev, queue);
}

void fs_init_requests(struct fs *fs)
{
	for (unsigned i = FS_REQUESTS; i-- > 0;) {
		struct fs_request *req = &fs->requests_in_flight[i];

		req->fs = fs;
		req->chain = &fs->chains[i];
		req->iov = fs->iovs[i];
		req->job.run = run_job;
		req->job.done = on_job_done;
		list_init(&req->job.link);
		fs_request_free(req);
	}
}
