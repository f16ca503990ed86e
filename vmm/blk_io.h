/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the thread that does the disks' reading and writing.
 *
 * One worker per VM takes requests from a queue, in order, and puts them on a list of done ones; an
 * eventfd wakes the loop, which calls each request's done(). So a slow disk never holds up the
 * loop. Requests belong to their disk, which has a fixed number of them; nothing is allocated here.
 * A request is with the worker from blk_io_submit() until done() or blk_io_cancel(); meanwhile its
 * owner leaves it alone.
 */
#ifndef VMM_BLK_IO_H
#define VMM_BLK_IO_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/cleanup.h"
#include "common/list.h"

struct blk_io;
struct loop;

#define BLK_IO_MAX_RANGES 16

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,
	BLK_DISCARD,    /* may read back as anything */
	BLK_ZERO_UNMAP, /* reads back as zeroes, space may be freed */
	BLK_ZERO,       /* reads back as zeroes, space stays allocated where the file system can */
};

struct blk_range {
	uint64_t offset, len; /* bytes */
};

struct blk_req {
	struct list link;
	const void *owner;
	void (*done)(struct blk_req *req); /* on the loop's thread */
	enum blk_op op;
	int fd;
	off_t offset;      /* of BLK_READ and BLK_WRITE */
	struct iovec *iov; /* is used up */
	unsigned n_iov;
	struct blk_range ranges[BLK_IO_MAX_RANGES]; /* of the last three */
	unsigned n_ranges;
	int result; /* 0 or -errno; -ECANCELED where it was never begun */
};

/* loop is borrowed. */
int blk_io_create(struct loop *loop, struct blk_io **ret);
/* Starts the thread, without which requests wait. 0 or -errno. */
int blk_io_start(struct blk_io *io);
/* Every owner must have cancelled. */
void blk_io_destroy(struct blk_io *io);
DEFINE_CLEANUP(struct blk_io, blk_io_destroy)

void blk_io_submit(struct blk_io *io, struct blk_req *req);

/* Takes all of owner's requests back, waiting for the one being served; done() is not called. */
void blk_io_cancel(struct blk_io *io, const void *owner);

/* Waits until all of owner's requests are done, and calls their done(). */
void blk_io_drain(struct blk_io *io, const void *owner);

#endif
