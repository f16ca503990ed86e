/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first half of fuse_proto.c: a request's header and fixed arguments. Pure, and proved to stay
 * within what it was given (docs/proofs.md).
 */
#ifndef VMM_FUSE_HEAD_H
#define VMM_FUSE_HEAD_H

#include "common/bytes.h"
#include "vmm/fuse_proto.h"

/* What follows the fixed arguments. */
enum fuse_tail {
	FUSE_TAIL_NONE,
	FUSE_TAIL_NAME,    /* a component */
	FUSE_TAIL_RENAME,  /* two components */
	FUSE_TAIL_SYMLINK, /* a component, a text */
	FUSE_TAIL_UNNAMED, /* a text that means nothing */
	FUSE_TAIL_XATTR,   /* an xattr's name */
	FUSE_TAIL_VALUE,   /* an xattr's name, the value */
	FUSE_TAIL_FORGETS,
	FUSE_TAIL_PAYLOAD, /* not looked at here */
};

/* Of a whole request. Errors are fuse_decode()'s; ret->h is valid but for -EPROTO. b is left at the tail. */
int fuse_decode_head(struct bytes *b, struct fuse_request *ret, enum fuse_tail *tail);

#endif
