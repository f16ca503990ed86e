/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FUSE requests as a guest's kernel sends them (linux/fuse.h, protocol 7.36 and later), decoded and
 * checked. Pure: bytes in, a struct with pointers into them out. Both halves of the file server
 * decode with this: sbx-vmm to tell what it serves itself, sbx-share because it believes nobody.
 *
 *	0     4        8        16       24    28    32    36       40
 *	+-----+--------+--------+--------+-----+-----+-----+--------+-------- … --+------- … --+
 *	| len | opcode | unique | nodeid | uid | gid | pid | ext, 0 | arguments   | names, data |
 *	+-----+--------+--------+--------+-----+-----+-----+--------+-------- … --+------- … --+
 *	host byte order, which is the guest's; extensions are not negotiated
 */
#ifndef VMM_FUSE_PROTO_H
#define VMM_FUSE_PROTO_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUSE_PROTO_MINOR 36 /* the oldest that has INIT_EXT and SETXATTR_EXT */

#define FUSE_PROTO_MAX_VALUE 65536u /* XATTR_SIZE_MAX */
/* The longest request but WRITE: SETXATTR. */
#define FUSE_PROTO_MAX_REQUEST                                                                     \
	(sizeof(struct fuse_in_header) + sizeof(struct fuse_setxattr_in) + 256 +                   \
	 FUSE_PROTO_MAX_VALUE)
/* What one READDIR or xattr answer may hold; a longer wish is shortened. */
#define FUSE_PROTO_MAX_REPLY (sizeof(struct fuse_out_header) + FUSE_PROTO_MAX_VALUE)

struct fuse_request {
	struct fuse_in_header h;
	union {
		struct fuse_init_in init;
		struct fuse_forget_in forget;
		struct fuse_batch_forget_in batch_forget;
		struct fuse_getattr_in getattr;
		struct fuse_setattr_in setattr;
		struct fuse_mknod_in mknod;
		struct fuse_mkdir_in mkdir;
		struct fuse_rename_in rename;
		struct fuse_rename2_in rename2;
		struct fuse_link_in link;
		struct fuse_open_in open;     /* OPEN, OPENDIR */
		struct fuse_create_in create; /* CREATE, TMPFILE */
		struct fuse_setxattr_in setxattr;
		struct fuse_getxattr_in getxattr; /* GETXATTR, LISTXATTR */
		struct fuse_read_in read;         /* READ, READDIR, READDIRPLUS */
		struct fuse_write_in write;
		struct fuse_release_in release; /* RELEASE, RELEASEDIR */
		struct fuse_fsync_in fsync;     /* FSYNC, FSYNCDIR */
		struct fuse_flush_in flush;
		struct fuse_access_in access;
		struct fuse_fallocate_in fallocate;
		struct fuse_lseek_in lseek;
		struct fuse_copy_file_range_in copy;
		struct fuse_interrupt_in interrupt;
		struct fuse_syncfs_in syncfs;
		struct fuse_statx_in statx;
	};
	const char *name;    /* a component, a link's text (SYMLINK: name2), or an xattr's name */
	const char *name2;   /* the new name of a rename, the text of a symbolic link */
	const uint8_t *data; /* SETXATTR's value, BATCH_FORGET's records */
	size_t data_len;
};

/*
 * buf[0 .. len) is a whole request; of WRITE, only its head is needed. -EINVAL: broken framing or a
 * name that cannot be one; -ENAMETOOLONG; -ENOSYS: not served. ret->h is valid in all cases but
 * -EPROTO: not even a header.
 */
int fuse_decode(const uint8_t *buf, size_t len, struct fuse_request *ret);

/* The i-th record of a BATCH_FORGET; i is below batch_forget.count. */
struct fuse_forget_one fuse_forget_at(const struct fuse_request *req, uint32_t i);

/* Requests that the kernel expects no answer to. */
bool fuse_is_silent(uint32_t opcode);

#endif
