/* SPDX-License-Identifier: Apache-2.0 */
/* What virtio_blk.c (the slot) and virtio_blk_request.c (its requests) share. */
#ifndef VMM_VIRTIO_BLK_INTERNAL_H
#define VMM_VIRTIO_BLK_INTERNAL_H

#include <linux/virtio_blk.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/blk_io.h"
#include "vmm/throttle.h"
#include "vmm/virtio.h"

#define BLK_SECTOR      512u
#define BLK_REQUESTS    16         /* in flight */
#define BLK_MAX_DISCARD (1u << 22) /* sectors of one range: 2 GiB */
#define BLK_MAX_ZEROES  (1u << 15) /* 16 MiB, since they may have to be written */

struct blk_request {
	struct blk_req io;
	struct blk *blk;
	struct blk_request *next_free;
	bool busy;
	uint32_t type;
	uint32_t data_len;
	uint8_t *status; /* in guest memory */
	struct virtq_chain *chain;
};

struct blk {
	struct virtio_device dev;
	struct blk_io *io;
	struct source *again;
	struct throttle throttle;
	unsigned slot;
	int fd; /* -1: parked */
	bool readonly;
	uint64_t sectors;
	/* Counters. */
	uint64_t reads, writes, read_bytes, write_bytes, flushes, discards, errors;
	struct blk_request *free;
	struct blk_request requests[BLK_REQUESTS];
	/* Apart, since they are large and a quiet disk touches only the first. */
	struct virtq_chain chains[BLK_REQUESTS];
};

void blk_init_requests(struct blk *blk);
/* Serves what waits in the queue. */
void blk_serve_queue(struct blk *blk);
/* Forgets the requests in flight, which the worker must have given back. */
void blk_forget_requests(struct blk *blk);
/* The same, but they fail. */
void blk_fail_requests(struct blk *blk);

#endif
