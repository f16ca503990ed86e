/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file or a tree of files on its way through a stream: what `sbx cp` and the guest's agent say to each
 * other, one the sender, one the receiver.
 *
 *	entry     kind u8, mode u16, uid u32, gid u32, mtime u64 s and u32 ns,
 *	          lengths of name and target u16 each, then both; all little-endian
 *	data      after a file's entry: chunks of u32 length and bytes, the last one empty
 *
 * A directory's entry is followed by those of what is in it, and by a LEAVE; END ends the stream, so that
 * what was cut off is known to be. A name is one path component, the first entry's is the receiver's to
 * choose: no stream can name anything outside of the directory that it is received in.
 *
 * Files, directories and symbolic links are what there is; devices, sockets and fifos are left out.
 */
#ifndef COMMON_TREE_H
#define COMMON_TREE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define TREE_HEADER_BYTES 27
#define TREE_MAX_BYTES    (TREE_HEADER_BYTES + NAME_MAX + PATH_MAX)
#define TREE_MAX_CHUNK    (128u << 10)
#define TREE_MAX_DEPTH    128

enum tree_kind { TREE_FILE = 1, TREE_DIR, TREE_LINK, TREE_LEAVE, TREE_END };

struct tree_entry {
	enum tree_kind kind;
	uint16_t mode; /* permission bits */
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	char name[NAME_MAX +
		  1];          /* one component; "." alone: the directory that it is received in */
	char target[PATH_MAX]; /* a link's */
};

/* Returns the size; buf has room for TREE_MAX_BYTES. */
size_t tree_entry_encode(const struct tree_entry *entry, uint8_t *buf);
/* How long the entry is that begins with this header; -EPROTO. */
ssize_t tree_entry_size(const uint8_t header[TREE_HEADER_BYTES]);
/* A whole entry; -EPROTO where it is none, or no receiver should take it. */
int tree_entry_decode(const uint8_t *buf, size_t size, struct tree_entry *ret);

/* Called for what is left out. */
typedef void (*tree_left_out)(const char *name, const char *why, void *data);

/*
 * Sends dirfd/name with all beneath it; "." is dirfd itself. Links are sent as such, and none is followed;
 * nothing but files and directories is opened.
 */
int tree_send(int dirfd, const char *name, int out, tree_left_out left_out, void *data,
	      struct err *err);

struct tree_receiver {
	int dirfd;
	const char *name; /* the first entry's; ".": a directory's contents go into dirfd itself */
	mode_t mask;      /* of the permission bits to take; the others are never set */
	int keep_owners;  /* as the entries have them, else: */
	int64_t uid, gid; /* of all that is made; -1: whoever makes it */
};

/* What is there is replaced by a file or a link, and a directory is added to; links are not followed. */
int tree_receive(int in, const struct tree_receiver *receiver, struct err *err);

#endif
