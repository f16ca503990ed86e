/* SPDX-License-Identifier: Apache-2.0 */
/* A disk's requests: from the ring to the worker and back; see virtio_blk.c. */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>

#include "common/loop.h"
#include "vmm/iov.h"
#include "vmm/virtio_blk_internal.h"

#define REQUESTS_PER_TURN 64
#define REQUEST_MAX       (64u << 20) /* bytes; keeps a cancel short */

static_assert(sizeof(struct virtio_blk_outhdr) == 16, "virtio 1.2, 5.2.6");
static_assert(sizeof(struct virtio_blk_discard_write_zeroes) == 16, "virtio 1.2, 5.2.6");

static void free_request(struct blk_request *req)
{
	req->busy = false;
	req->next_free = req->blk->free;
	req->blk->free = req;
}

/* --- the end of a request ------------------------------------------------------------------ */

static void count(struct blk *blk, const struct blk_request *req)
{
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		blk->reads++;
		blk->read_bytes += req->data_len;
		break;
	case VIRTIO_BLK_T_OUT:
		blk->writes++;
		blk->write_bytes += req->data_len;
		break;
	case VIRTIO_BLK_T_FLUSH:
		blk->flushes++;
		break;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		blk->discards++;
		break;
	}
}

/* written: bytes of data in front of the status byte. */
static void finish(struct blk_request *req, uint8_t status, uint32_t written)
{
	struct blk *blk = req->blk;

	if (status == VIRTIO_BLK_S_OK)
		count(blk, req);
	else
		blk->errors++;
	if (!blk->dev.failed) {
		__atomic_store_n(req->status, status, __ATOMIC_RELAXED);
		virtq_push(&blk->dev.queues[0], req->chain->head, written + 1);
	}
	free_request(req);
}

static void finish_io(struct blk_request *req)
{
	int r = req->io.result;
	bool read = req->type == VIRTIO_BLK_T_IN;

	if (r < 0)
		finish(req, r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR, 0);
	else
		finish(req, VIRTIO_BLK_S_OK, read ? req->data_len : 0);
}

static void on_io_done(struct blk_req *io)
{
	struct blk_request *req = container_of(io, struct blk_request, io);
	struct blk *blk = req->blk;
	bool starved = !blk->free;

	finish_io(req);
	if (starved && virtio_serving(&blk->dev))
		blk_serve_queue(blk);
	else
		virtio_notify_used(&blk->dev, 0);
}

/* --- the start of a request ---------------------------------------------------------------- */

/* Subtraction only: a sum of what the guest says could overflow. */
static bool in_disk(const struct blk *blk, uint64_t sector, uint64_t sectors)
{
	return sector <= blk->sectors && sectors <= blk->sectors - sector;
}

static int plan_transfer(struct blk *blk, struct blk_request *req, uint64_t sector)
{
	bool read = req->type == VIRTIO_BLK_T_IN;
	struct virtq_chain *chain = req->chain;
	struct blk_req *io = &req->io;

	if (read) {
		io->op = BLK_READ;
		io->iov = chain->iov + chain->n_out;
		req->data_len = chain->in_len - 1;
		io->n_iov = iov_truncate(io->iov, chain->n_in, req->data_len);
	} else {
		io->op = BLK_WRITE;
		io->iov = chain->iov;
		io->n_iov = chain->n_out;
		req->data_len = chain->out_len - (uint32_t)sizeof(struct virtio_blk_outhdr);
		iov_skip(&io->iov, &io->n_iov, sizeof(struct virtio_blk_outhdr));
	}
	if (!req->data_len || req->data_len % BLK_SECTOR || req->data_len > REQUEST_MAX ||
	    !in_disk(blk, sector, req->data_len / BLK_SECTOR))
		return -EIO;
	io->offset = (off_t)(sector * BLK_SECTOR);
	return read || !blk->readonly ? 0 : -EROFS;
}

static int plan_range(struct blk *blk, struct blk_request *req, unsigned i)
{
	bool discard = req->type == VIRTIO_BLK_T_DISCARD;
	struct virtio_blk_discard_write_zeroes seg;
	uint64_t sector;
	uint32_t sectors, flags;
	enum blk_op op;

	chain_read(req->chain, sizeof(struct virtio_blk_outhdr) + i * sizeof(seg), &seg,
		   sizeof(seg));
	sector = le64toh(seg.sector);
	sectors = le32toh(seg.num_sectors);
	flags = le32toh(seg.flags);
	if (flags & ~(discard ? 0 : (uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return -EOPNOTSUPP;
	if (sectors > (discard ? BLK_MAX_DISCARD : BLK_MAX_ZEROES) ||
	    !in_disk(blk, sector, sectors))
		return -EIO;
	op = discard ? BLK_DISCARD : flags ? BLK_ZERO_UNMAP : BLK_ZERO;
	if (i && op != req->io.op)
		return -EOPNOTSUPP; /* one kind per request is all that drivers send */
	req->io.op = op;
	req->io.ranges[i] = (struct blk_range){
		.offset = sector * BLK_SECTOR,
		.len = (uint64_t)sectors * BLK_SECTOR,
	};
	return 0;
}

static int plan_ranges(struct blk *blk, struct blk_request *req)
{
	uint32_t size = sizeof(struct virtio_blk_discard_write_zeroes);
	uint32_t len = req->chain->out_len - (uint32_t)sizeof(struct virtio_blk_outhdr);
	int r;

	if (!len || len % size || len / size > BLK_IO_MAX_RANGES)
		return -EIO;
	req->io.n_ranges = len / size;
	for (unsigned i = 0; i < req->io.n_ranges; i++) {
		r = plan_range(blk, req, i);
		if (r < 0)
			return r;
	}
	return blk->readonly ? -EROFS : 0;
}

static int plan(struct blk *blk, struct blk_request *req, uint64_t sector)
{
	if (blk->fd < 0)
		return -EIO;
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return plan_transfer(blk, req, sector);
	case VIRTIO_BLK_T_FLUSH:
		req->io.op = BLK_FLUSH;
		return 0;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return plan_ranges(blk, req);
	default:
		return -EOPNOTSUPP;
	}
}

static void get_id(struct blk_request *req)
{
	char id[VIRTIO_BLK_ID_BYTES] = {0};
	size_t room = req->chain->in_len - 1;

	snprintf(id, sizeof(id), "sbx%u", req->blk->slot);
	if (room > sizeof(id))
		room = sizeof(id);
	chain_write(req->chain, 0, id, room);
	finish(req, VIRTIO_BLK_S_OK, (uint32_t)room);
}

/* What a request is charged for: what is moved, and zeros, which may have to be written. */
static uint64_t cost(const struct blk_request *req)
{
	uint64_t bytes = req->data_len;

	for (unsigned i = 0; req->type == VIRTIO_BLK_T_WRITE_ZEROES && i < req->io.n_ranges; i++)
		bytes += req->io.ranges[i].len;
	return bytes;
}

/* 0, or -EINVAL where the driver broke the framing. */
static int start(struct blk *blk, struct blk_request *req)
{
	struct virtq_chain *chain = req->chain;
	struct virtio_blk_outhdr header;
	const struct iovec *last;
	int r;

	if (!chain->in_len || chain_read(chain, 0, &header, sizeof(header)) < sizeof(header))
		return -EINVAL;
	last = &chain->iov[chain->n_out + chain->n_in - 1];
	req->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	req->type = le32toh(header.type);
	req->data_len = 0;
	req->io.n_ranges = 0;
	if (req->type == VIRTIO_BLK_T_GET_ID) {
		get_id(req);
		return 0;
	}
	r = plan(blk, req, le64toh(header.sector));
	if (r < 0) {
		/* Ranges that were not all judged are nothing to be charged for. */
		req->io.n_ranges = 0;
		finish(req, r == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR, 0);
		return 0;
	}
	req->io.fd = blk->fd;
	blk_io_submit(blk->io, &req->io);
	return 0;
}

/* At most max requests. 1: more may be waiting; 0: none, or none can be begun now; or -errno. */
static int pop_requests(struct blk *blk, unsigned max)
{
	while (blk->free && throttle_allows(&blk->throttle)) {
		struct blk_request *req = blk->free;
		int r;

		if (!max--)
			return 1;
		r = virtq_pop(&blk->dev.queues[0], req->chain);
		if (r <= 0)
			return r;
		blk->free = req->next_free;
		req->busy = true;
		r = start(blk, req);
		if (r < 0) {
			free_request(req);
			return r;
		}
		throttle_spend(&blk->throttle, cost(req));
	}
	return 0;
}

void blk_serve_queue(struct blk *blk)
{
	struct virtq *vq = &blk->dev.queues[0];
	int r;

	virtq_disable_notify(vq);
	do
		r = pop_requests(blk, REQUESTS_PER_TURN);
	while (!r && blk->free && !blk->throttle.waiting && virtq_enable_notify(vq));
	if (r < 0)
		virtio_fail(&blk->dev, "broken request");
	else if (r)
		source_defer(blk->again);
	virtio_notify_used(&blk->dev, 0);
}

void blk_forget_requests(struct blk *blk)
{
	for (unsigned i = 0; i < BLK_REQUESTS; i++)
		if (blk->requests[i].busy)
			free_request(&blk->requests[i]);
}

void blk_fail_requests(struct blk *blk)
{
	for (unsigned i = 0; i < BLK_REQUESTS; i++)
		if (blk->requests[i].busy)
			finish_io(&blk->requests[i]);
}

void blk_init_requests(struct blk *blk)
{
	for (unsigned i = BLK_REQUESTS; i-- > 0;) {
		struct blk_request *req = &blk->requests[i];

		req->blk = blk;
		req->chain = &blk->chains[i];
		req->io.owner = blk;
		req->io.done = on_io_done;
		list_init(&req->io.link);
		free_request(req);
	}
}
