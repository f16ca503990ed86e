/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What virtio_fs.c (the device), virtio_fs_request.c (its requests), virtio_fs_shared.c (those that
 * sbx-share serves) and virtio_fs_link.c (the way there) share.
 */
#ifndef VMM_VIRTIO_FS_INTERNAL_H
#define VMM_VIRTIO_FS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/fs_data.h"
#include "vmm/fs_handles.h"
#include "vmm/fuse_proto.h"
#include "vmm/virtio.h"
#include "vmm/virtio_fs.h"
#include "vmm/workers.h"

#define FS_REQUESTS 64 /* in flight */
#define FS_HEAD     sizeof(struct fuse_out_header)

enum fs_where { FS_FREE, FS_WORKER, FS_SHARE };

struct fs_request {
	struct job job;
	struct fs *fs;
	enum fs_where where;
	unsigned queue;
	uint32_t serial; /* counts the uses of this slot */
	struct fuse_request fuse;
	struct fs_handle *handle, *handle_out; /* held while it is in flight */
	int64_t result;
	struct fs_transfer transfer;
	struct fs_request *next_free;
	struct virtq_chain *chain;
	struct iovec *iov; /* a copy of the chain's, to be used up */
};

struct fs {
	struct virtio_device dev;
	struct source *again;
	struct workers *workers;
	struct fs_handles handles;
	int link_fd; /* -1: parked, or gone */
	struct source *link;
	bool link_lost, link_full;
	/* Counters. */
	uint64_t requests, shared, reads, writes, read_bytes, write_bytes, errors;
	struct fs_request *free;
	struct fs_request requests_in_flight[FS_REQUESTS];
	uint8_t buf[FUSE_PROTO_MAX_REQUEST]; /* the request that is being started */
	uint8_t reply[FUSE_PROTO_MAX_REPLY];
	/* Apart, since they are large and a quiet device touches only the first. */
	struct virtq_chain chains[FS_REQUESTS];
	struct iovec iovs[FS_REQUESTS][VIRTQ_MAX_CHAIN];
};

void fs_init_requests(struct fs *fs);
/* Serves what waits in a queue. */
void fs_serve_queue(struct fs *fs, unsigned queue);

/* The ends of a request: each frees it. len: of the whole answer, there already but for its header. */
void fs_request_push(struct fs_request *req, int error, uint32_t len);
void fs_request_fail(struct fs_request *req, int error);
void fs_request_answer(struct fs_request *req, const void *body, size_t size);
void fs_request_free(struct fs_request *req);
/* Answers a WRITE whose data are where they belong. */
void fs_request_written(struct fs_request *req);
/* After a slot came free: its queue, and where others wait for slots, all of them. */
void fs_go_on(struct fs *fs, unsigned queue, bool starved);

/* Hands sbx-share the request that is in fs->buf[0 .. len). 0: with it, or answered; or -errno. */
int fs_shared_start(struct fs *fs, struct fs_request *req, size_t len);
/* Asks sbx-share for what a WRITE took from the file's mode (fs_data.h), then answers it. 0 or -errno. */
int fs_shared_restore(struct fs *fs, struct fs_request *req);
bool fs_shared_pending(const struct fs *fs);
/* Answers the requests that are with sbx-share with an error, or forgets them: error 0. */
void fs_drop_shared(struct fs *fs, int error);

/* sbx-share's answer to the request of this tag; fd (taken over) came with it, or -1. 0 or -EPROTO. */
int fs_shared_done(struct fs *fs, uint64_t tag, const uint8_t *reply, size_t size, int fd);

/*
 * Sends buf[0 .. n) with fd (borrowed, -1: none). -EAGAIN: not now, and all queues are looked at
 * again when it can be sent.
 */
int fs_link_send(struct fs *fs, const uint8_t *buf, size_t n, int fd);
void fs_link_hold(struct fs *fs, bool on);
/* Waits until no request is with sbx-share. */
void fs_link_drain(struct fs *fs);
void fs_link_close(struct fs *fs);

#endif
