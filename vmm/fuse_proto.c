/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fuse_proto.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/bytes.h"
#include "common/path.h"
#include "vmm/fuse_head.h"

/* A NUL-terminated text of 1 to max bytes. */
static int take_text(struct bytes *b, size_t max, const char **ret)
{
	const uint8_t *text = b->data + b->at;
	const uint8_t *end = bytes_left(b) ? memchr(text, 0, bytes_left(b)) : NULL;

	if (!end || end == text)
		return -EINVAL;
	if ((size_t)(end - text) > max)
		return -ENAMETOOLONG;
	b->at = (size_t)(end - b->data) + 1;
	*ret = (const char *)text;
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
	if (req->batch_forget.count > bytes_left(b) / sizeof(struct fuse_forget_one))
		return -EINVAL;
	req->data_len = req->batch_forget.count * sizeof(struct fuse_forget_one);
	req->data = bytes_take(b, req->data_len);
	return req->data ? 0 : -EINVAL;
}

static int take_tail(struct bytes *b, enum fuse_tail tail, struct fuse_request *req)
{
	int r;

	switch (tail) {
	case FUSE_TAIL_NONE:
		return 0;
	case FUSE_TAIL_NAME:
		return take_name(b, &req->name);
	case FUSE_TAIL_RENAME:
		r = take_name(b, &req->name);
		return r < 0 ? r : take_name(b, &req->name2);
	case FUSE_TAIL_SYMLINK:
		r = take_name(b, &req->name);
		return r < 0 ? r : take_text(b, PATH_MAX - 1, &req->name2);
	case FUSE_TAIL_UNNAMED:
		return take_text(b, NAME_MAX, &req->name);
	case FUSE_TAIL_XATTR:
		r = take_text(b, NAME_MAX, &req->name);
		return r == -ENAMETOOLONG ? -ERANGE : r;
	case FUSE_TAIL_VALUE:
		return take_value(b, req);
	case FUSE_TAIL_FORGETS:
		return take_forgets(b, req);
	case FUSE_TAIL_PAYLOAD:
		b->at = b->size;
		return 0;
	}
	return -EINVAL;
}

int fuse_decode(const uint8_t *buf, size_t len, struct fuse_request *ret)
{
	struct bytes b = bytes_of(buf, len);
	enum fuse_tail tail;
	int r = fuse_decode_head(&b, ret, &tail);

	if (r == 0)
		r = take_tail(&b, tail, ret);
	if (r < 0)
		return r;
	/* Nothing may be left that nobody has looked at. */
	return b.failed || bytes_left(&b) ? -EINVAL : 0;
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
