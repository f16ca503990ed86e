/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fuse_proto.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/path.h"

static_assert(sizeof(struct fuse_in_header) == 40, "linux/fuse.h");
static_assert(sizeof(struct fuse_out_header) == 16, "linux/fuse.h");
static_assert(sizeof(struct fuse_setxattr_in) == 16, "linux/fuse.h");

/* What follows the fixed arguments. */
enum tail {
	TAIL_NONE,
	TAIL_NAME,    /* a component */
	TAIL_RENAME,  /* two components */
	TAIL_SYMLINK, /* a component, a text */
	TAIL_UNNAMED, /* a text that means nothing */
	TAIL_XATTR,   /* an xattr's name */
	TAIL_VALUE,   /* an xattr's name, the value */
	TAIL_FORGETS,
	TAIL_PAYLOAD, /* not looked at here */
};

#define ARGS(member) sizeof(((struct fuse_request *)0)->member)

static const struct shape {
	uint8_t args;
	uint8_t tail;
	bool known;
} shapes[] = {
	[FUSE_LOOKUP] = {0, TAIL_NAME, true},
	[FUSE_FORGET] = {ARGS(forget), TAIL_NONE, true},
	[FUSE_GETATTR] = {ARGS(getattr), TAIL_NONE, true},
	[FUSE_SETATTR] = {ARGS(setattr), TAIL_NONE, true},
	[FUSE_READLINK] = {0, TAIL_NONE, true},
	[FUSE_SYMLINK] = {0, TAIL_SYMLINK, true},
	[FUSE_MKNOD] = {ARGS(mknod), TAIL_NAME, true},
	[FUSE_MKDIR] = {ARGS(mkdir), TAIL_NAME, true},
	[FUSE_UNLINK] = {0, TAIL_NAME, true},
	[FUSE_RMDIR] = {0, TAIL_NAME, true},
	[FUSE_RENAME] = {ARGS(rename), TAIL_RENAME, true},
	[FUSE_RENAME2] = {ARGS(rename2), TAIL_RENAME, true},
	[FUSE_LINK] = {ARGS(link), TAIL_NAME, true},
	[FUSE_OPEN] = {ARGS(open), TAIL_NONE, true},
	[FUSE_READ] = {ARGS(read), TAIL_NONE, true},
	[FUSE_WRITE] = {ARGS(write), TAIL_PAYLOAD, true},
	[FUSE_STATFS] = {0, TAIL_NONE, true},
	[FUSE_RELEASE] = {ARGS(release), TAIL_NONE, true},
	[FUSE_FSYNC] = {ARGS(fsync), TAIL_NONE, true},
	[FUSE_SETXATTR] = {ARGS(setxattr), TAIL_VALUE, true},
	[FUSE_GETXATTR] = {ARGS(getxattr), TAIL_XATTR, true},
	[FUSE_LISTXATTR] = {ARGS(getxattr), TAIL_NONE, true},
	[FUSE_REMOVEXATTR] = {0, TAIL_XATTR, true},
	[FUSE_FLUSH] = {ARGS(flush), TAIL_NONE, true},
	[FUSE_INIT] = {ARGS(init), TAIL_NONE, true},
	[FUSE_OPENDIR] = {ARGS(open), TAIL_NONE, true},
	[FUSE_READDIR] = {ARGS(read), TAIL_NONE, true},
	[FUSE_READDIRPLUS] = {ARGS(read), TAIL_NONE, true},
	[FUSE_RELEASEDIR] = {ARGS(release), TAIL_NONE, true},
	[FUSE_FSYNCDIR] = {ARGS(fsync), TAIL_NONE, true},
	[FUSE_ACCESS] = {ARGS(access), TAIL_NONE, true},
	[FUSE_CREATE] = {ARGS(create), TAIL_NAME, true},
	[FUSE_TMPFILE] = {ARGS(create), TAIL_UNNAMED, true},
	[FUSE_INTERRUPT] = {ARGS(interrupt), TAIL_NONE, true},
	[FUSE_DESTROY] = {0, TAIL_NONE, true},
	[FUSE_BATCH_FORGET] = {ARGS(batch_forget), TAIL_FORGETS, true},
	[FUSE_FALLOCATE] = {ARGS(fallocate), TAIL_NONE, true},
	[FUSE_LSEEK] = {ARGS(lseek), TAIL_NONE, true},
	[FUSE_COPY_FILE_RANGE] = {ARGS(copy), TAIL_NONE, true},
	[FUSE_SYNCFS] = {ARGS(syncfs), TAIL_NONE, true},
	[FUSE_STATX] = {ARGS(statx), TAIL_NONE, true},
};

/* A NUL-terminated text of 1 to max bytes. */
static int take_text(struct bytes *b, size_t max, const char **ret)
{
	const uint8_t *end = b->left ? memchr(b->at, 0, b->left) : NULL;
	size_t n;

	if (!end || end == b->at)
		return -EINVAL;
	n = (size_t)(end - b->at);
	if (n > max)
		return -ENAMETOOLONG;
	*ret = (const char *)bytes_take(b, n + 1);
	return 0;
}

static int take_name(struct bytes *b, const char **ret)
{
	int r = take_text(b, NAME_MAX, ret);

	return r < 0 ? r : path_is_name(*ret) ? 0 : -EINVAL;
}

static int take_value(struct bytes *b, struct fuse_request *req)
{
	int r = take_text(b, NAME_MAX, &req->name);

	if (r < 0)
		return r == -ENAMETOOLONG ? -ERANGE : r; /* as setxattr(2) says it */
	if (req->setxattr.size > FUSE_PROTO_MAX_VALUE)
		return -E2BIG;
	req->data_len = req->setxattr.size;
	req->data = bytes_take(b, req->data_len);
	return req->data ? 0 : -EINVAL;
}

static int take_forgets(struct bytes *b, struct fuse_request *req)
{
	if (req->batch_forget.count > b->left / sizeof(struct fuse_forget_one))
		return -EINVAL;
	req->data_len = req->batch_forget.count * sizeof(struct fuse_forget_one);
	req->data = bytes_take(b, req->data_len);
	return req->data ? 0 : -EINVAL;
}

static int take_tail(struct bytes *b, enum tail tail, struct fuse_request *req)
{
	int r;

	switch (tail) {
	case TAIL_NONE:
		return 0;
	case TAIL_NAME:
		return take_name(b, &req->name);
	case TAIL_RENAME:
		r = take_name(b, &req->name);
		return r < 0 ? r : take_name(b, &req->name2);
	case TAIL_SYMLINK:
		r = take_name(b, &req->name);
		return r < 0 ? r : take_text(b, PATH_MAX - 1, &req->name2);
	case TAIL_UNNAMED:
		return take_text(b, NAME_MAX, &req->name);
	case TAIL_XATTR:
		r = take_text(b, NAME_MAX, &req->name);
		return r == -ENAMETOOLONG ? -ERANGE : r;
	case TAIL_VALUE:
		return take_value(b, req);
	case TAIL_FORGETS:
		return take_forgets(b, req);
	case TAIL_PAYLOAD:
		b->left = 0;
		return 0;
	}
	return -EINVAL;
}

int fuse_decode(const uint8_t *buf, size_t len, struct fuse_request *ret)
{
	struct bytes b = bytes_of(buf, len);
	const uint8_t *p = bytes_take(&b, sizeof(ret->h));
	const struct shape *shape;
	int r;

	*ret = (struct fuse_request){0};
	if (!p)
		return -EPROTO;
	memcpy(&ret->h, p, sizeof(ret->h));
	if (ret->h.opcode >= ARRAY_SIZE(shapes) || !shapes[ret->h.opcode].known)
		return -ENOSYS;
	shape = &shapes[ret->h.opcode];
	if (ret->h.total_extlen || (shape->tail != TAIL_PAYLOAD && ret->h.len != len))
		return -EINVAL;
	p = bytes_take(&b, shape->args);
	if (!p)
		return -EINVAL;
	memcpy((char *)ret + offsetof(struct fuse_request, init), p, shape->args);
	r = take_tail(&b, shape->tail, ret);
	if (r < 0)
		return r;
	/* Nothing may be left that nobody has looked at. */
	return b.failed || b.left ? -EINVAL : 0;
}

struct fuse_forget_one fuse_forget_at(const struct fuse_request *req, uint32_t i)
{
	struct fuse_forget_one one;

	memcpy(&one, req->data + i * sizeof(one), sizeof(one));
	return one;
}

bool fuse_is_silent(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}
