/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fuse_head.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(struct fuse_in_header) == 40, "linux/fuse.h");
static_assert(sizeof(struct fuse_out_header) == 16, "linux/fuse.h");
static_assert(sizeof(struct fuse_setxattr_in) == 16, "linux/fuse.h");

#define ARGS(member) sizeof(((struct fuse_request *)0)->member)

static const struct shape {
	uint8_t args;
	uint8_t tail;
	bool known;
} shapes[] = {
	[FUSE_LOOKUP] = {0, FUSE_TAIL_NAME, true},
	[FUSE_FORGET] = {ARGS(forget), FUSE_TAIL_NONE, true},
	[FUSE_GETATTR] = {ARGS(getattr), FUSE_TAIL_NONE, true},
	[FUSE_SETATTR] = {ARGS(setattr), FUSE_TAIL_NONE, true},
	[FUSE_READLINK] = {0, FUSE_TAIL_NONE, true},
	[FUSE_SYMLINK] = {0, FUSE_TAIL_SYMLINK, true},
	[FUSE_MKNOD] = {ARGS(mknod), FUSE_TAIL_NAME, true},
	[FUSE_MKDIR] = {ARGS(mkdir), FUSE_TAIL_NAME, true},
	[FUSE_UNLINK] = {0, FUSE_TAIL_NAME, true},
	[FUSE_RMDIR] = {0, FUSE_TAIL_NAME, true},
	[FUSE_RENAME] = {ARGS(rename), FUSE_TAIL_RENAME, true},
	[FUSE_RENAME2] = {ARGS(rename2), FUSE_TAIL_RENAME, true},
	[FUSE_LINK] = {ARGS(link), FUSE_TAIL_NAME, true},
	[FUSE_OPEN] = {ARGS(open), FUSE_TAIL_NONE, true},
	[FUSE_READ] = {ARGS(read), FUSE_TAIL_NONE, true},
	[FUSE_WRITE] = {ARGS(write), FUSE_TAIL_PAYLOAD, true},
	[FUSE_STATFS] = {0, FUSE_TAIL_NONE, true},
	[FUSE_RELEASE] = {ARGS(release), FUSE_TAIL_NONE, true},
	[FUSE_FSYNC] = {ARGS(fsync), FUSE_TAIL_NONE, true},
	[FUSE_SETXATTR] = {ARGS(setxattr), FUSE_TAIL_VALUE, true},
	[FUSE_GETXATTR] = {ARGS(getxattr), FUSE_TAIL_XATTR, true},
	[FUSE_LISTXATTR] = {ARGS(getxattr), FUSE_TAIL_NONE, true},
	[FUSE_REMOVEXATTR] = {0, FUSE_TAIL_XATTR, true},
	[FUSE_FLUSH] = {ARGS(flush), FUSE_TAIL_NONE, true},
	[FUSE_INIT] = {ARGS(init), FUSE_TAIL_NONE, true},
	[FUSE_OPENDIR] = {ARGS(open), FUSE_TAIL_NONE, true},
	[FUSE_READDIR] = {ARGS(read), FUSE_TAIL_NONE, true},
	[FUSE_READDIRPLUS] = {ARGS(read), FUSE_TAIL_NONE, true},
	[FUSE_RELEASEDIR] = {ARGS(release), FUSE_TAIL_NONE, true},
	[FUSE_FSYNCDIR] = {ARGS(fsync), FUSE_TAIL_NONE, true},
	[FUSE_ACCESS] = {ARGS(access), FUSE_TAIL_NONE, true},
	[FUSE_CREATE] = {ARGS(create), FUSE_TAIL_NAME, true},
	[FUSE_TMPFILE] = {ARGS(create), FUSE_TAIL_UNNAMED, true},
	[FUSE_INTERRUPT] = {ARGS(interrupt), FUSE_TAIL_NONE, true},
	[FUSE_DESTROY] = {0, FUSE_TAIL_NONE, true},
	[FUSE_BATCH_FORGET] = {ARGS(batch_forget), FUSE_TAIL_FORGETS, true},
	[FUSE_FALLOCATE] = {ARGS(fallocate), FUSE_TAIL_NONE, true},
	[FUSE_LSEEK] = {ARGS(lseek), FUSE_TAIL_NONE, true},
	[FUSE_COPY_FILE_RANGE] = {ARGS(copy), FUSE_TAIL_NONE, true},
	[FUSE_SYNCFS] = {ARGS(syncfs), FUSE_TAIL_NONE, true},
	[FUSE_STATX] = {ARGS(statx), FUSE_TAIL_NONE, true},
};

int fuse_decode_head(struct bytes *b, struct fuse_request *ret, enum fuse_tail *tail)
{
	size_t len = bytes_left(b);
	const struct shape *shape;

	*ret = (struct fuse_request){0};
	if (!bytes_copy(b, &ret->h, sizeof(ret->h)))
		return -EPROTO;
	if (ret->h.opcode >= sizeof(shapes) / sizeof(shapes[0]) || !shapes[ret->h.opcode].known)
		return -ENOSYS;
	shape = &shapes[ret->h.opcode];
	*tail = (enum fuse_tail)shape->tail;
	if (ret->h.total_extlen || (*tail != FUSE_TAIL_PAYLOAD && ret->h.len != len))
		return -EINVAL;
	if (!bytes_copy(b, (char *)ret + offsetof(struct fuse_request, init), shape->args))
		return -EINVAL;
	return 0;
}
