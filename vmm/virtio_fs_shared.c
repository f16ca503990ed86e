/* SPDX-License-Identifier: Apache-2.0 */
/* A file system device's requests that sbx-share serves, all but data; see virtio_fs.c. */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "vmm/virtio_fs_internal.h"

static uint64_t tag_of(const struct fs_request *req)
{
	return (uint64_t)req->serial << 32 | (uint64_t)(req - req->fs->requests_in_flight);
}

/* A file that the guest has open speaks for itself, also where its name is gone. */
static struct fs_handle *handle_sent(struct fs *fs, const struct fuse_request *fuse)
{
	switch (fuse->h.opcode) {
	case FUSE_GETATTR:
		return fuse->getattr.getattr_flags & FUSE_GETATTR_FH
			       ? fs_handles_get(&fs->handles, fuse->getattr.fh)
			       : NULL;
	case FUSE_STATX:
		return fuse->statx.getattr_flags & FUSE_GETATTR_FH
			       ? fs_handles_get(&fs->handles, fuse->statx.fh)
			       : NULL;
	case FUSE_SETATTR:
		return fuse->setattr.valid & FATTR_FH
			       ? fs_handles_get(&fs->handles, fuse->setattr.fh)
			       : NULL;
	default:
		return NULL;
	}
}

static bool opens(uint32_t opcode)
{
	return opcode == FUSE_OPEN || opcode == FUSE_CREATE || opcode == FUSE_TMPFILE;
}

int fs_shared_start(struct fs *fs, struct fs_request *req, size_t len)
{
	uint64_t tag = tag_of(req);
	int r;

	if (fs->link_fd < 0)
		return -ENOTCONN;
	/* A descriptor that finds no room arrives damaged: there must be one for each that may come. */
	if (opens(req->fuse.h.opcode) && !fs_handles_have_room(&fs->handles, FS_REQUESTS))
		return -ENFILE;
	memcpy(fs->buf + offsetof(struct fuse_in_header, unique), &tag, sizeof(tag));
	req->handle = handle_sent(fs, &req->fuse);
	r = fs_link_send(fs, fs->buf, len, req->handle ? req->handle->fd : -1);
	if (r < 0)
		return r;
	fs->shared++;
	if (fuse_is_silent(req->fuse.h.opcode))
		fs_request_push(req, 0, 0);
	else
		req->where = FS_SHARE;
	return 0;
}

int fs_shared_restore(struct fs *fs, struct fs_request *req)
{
	struct {
		struct fuse_in_header head;
		struct fuse_setattr_in in;
	} msg = {
		.head = {.len = sizeof(msg),
			 .opcode = FUSE_SETATTR,
			 .unique = tag_of(req),
			 .nodeid = req->fuse.h.nodeid},
		.in = {.valid = FATTR_MODE, .mode = req->transfer.restore},
	};
	int r;

	if (fs->link_fd < 0 || fs->dev.failed)
		return -ENOTCONN;
	r = fs_link_send(fs, (const uint8_t *)&msg, sizeof(msg), req->handle->fd);
	if (r == 0)
		req->where = FS_SHARE;
	return r;
}

/* Puts our number for the open file into the answer, whose last part is a fuse_open_out. */
static int keep_handle(struct fs_request *req, uint8_t *reply, size_t size, int *fd)
{
	bool entry = req->fuse.h.opcode != FUSE_OPEN;
	size_t at = FS_HEAD + (entry ? sizeof(struct fuse_entry_out) : 0);
	uint64_t fh;
	int r;

	if (*fd < 0 || size != at + sizeof(struct fuse_open_out))
		return -EPROTO;
	r = fs_handles_add(&req->fs->handles, *fd, &fh);
	if (r < 0)
		return r;
	*fd = -1;
	memcpy(reply + at + offsetof(struct fuse_open_out, fh), &fh, sizeof(fh));
	return 0;
}

int fs_shared_done(struct fs *fs, uint64_t tag, const uint8_t *reply, size_t size, int fd)
{
	_cleanup_close_ int owned = fd;
	uint32_t slot = (uint32_t)tag;
	struct fs_request *req;
	struct fuse_out_header head;
	unsigned queue;
	bool starved = !fs->free;
	int r = 0;

	if (slot >= FS_REQUESTS)
		return -EPROTO;
	req = &fs->requests_in_flight[slot];
	if (req->where != FS_SHARE || req->serial != tag >> 32)
		return 0; /* it was reset meanwhile */
	if (req->fuse.h.opcode == FUSE_WRITE) {
		queue = req->queue;
		fs_request_written(req);
		fs_go_on(fs, queue, starved);
		return 0;
	}
	memcpy(&head, reply, sizeof(head));
	if (head.error > 0 || head.error < -4095 || (head.error && size != FS_HEAD))
		return -EPROTO;
	queue = req->queue;
	if (!head.error && opens(req->fuse.h.opcode))
		r = keep_handle(req, fs->reply, size, &owned);
	if (r == -EPROTO)
		return r;
	if (!r && !head.error && size > req->chain->in_len)
		r = -EIO; /* the guest left less room than its kernel does */
	if (r < 0 || head.error)
		fs_request_fail(req, r < 0 ? -r : -head.error);
	else
		fs_request_answer(req, reply + FS_HEAD, size - FS_HEAD);
	fs_go_on(fs, queue, starved);
	return 0;
}

bool fs_shared_pending(const struct fs *fs)
{
	for (unsigned i = 0; i < FS_REQUESTS; i++)
		if (fs->requests_in_flight[i].where == FS_SHARE)
			return true;
	return false;
}

void fs_drop_shared(struct fs *fs, int error)
{
	for (unsigned i = 0; i < FS_REQUESTS; i++) {
		struct fs_request *req = &fs->requests_in_flight[i];
		unsigned queue = req->queue;

		if (req->where != FS_SHARE)
			continue;
		if (!error) {
			fs_request_free(req);
			continue;
		}
		fs_request_fail(req, error);
		virtio_notify_used(&fs->dev, queue);
	}
}
