/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name half of the file server: roots, and FUSE requests about names beneath them. The data half
 * is virtio_fs.h's. See share.c.
 */
#ifndef VMM_SHARE_H
#define VMM_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"

struct loop;
struct share;
struct share_control;
struct share_link;

int share_create(struct share **ret);
void share_destroy(struct share *share);
DEFINE_CLEANUP(struct share, share_destroy)

struct share_root_config {
	const char *name;
	bool readonly, devices;
	bool submounts;    /* what is mounted beneath comes along */
	uint64_t cache_ns; /* how long the guest may believe what it was told */
};

/* fd, O_PATH of a directory or a regular file, is taken over, also on failure. The same file with the
 * same configuration under a second name is the same root. */
int share_add_root(struct share *share, const struct share_root_config *config, int fd,
		   struct err *err);
int share_remove_root(struct share *share, const char *name, struct err *err);

/*
 * Serves the request buf[0 .. len). fd_in: the open file that it names, borrowed, or -1. The answer
 * goes to reply (FUSE_PROTO_MAX_REPLY bytes); returns its length, 0 where none is due. *ret_fd: a
 * file that was opened, the caller's, or -1. No input makes it fail.
 */
size_t share_serve(struct share *share, const uint8_t *buf, size_t len, int fd_in, uint8_t *reply,
		   int *ret_fd);

/* Serves the requests that come on fd, a SOCK_SEQPACKET socket, taken over. on_close: its end. */
int share_link_create(struct share *share, struct loop *loop, int fd, void (*on_close)(void *data),
		      void *data, struct share_link **ret);
void share_link_destroy(struct share_link *link);
DEFINE_CLEANUP(struct share_link, share_link_destroy)

/* Serves the owner's connection fd, taken over (proto/share.proto). */
int share_control_create(struct share *share, struct loop *loop, int fd,
			 void (*on_close)(void *data), void *data, struct share_control **ret);
void share_control_destroy(struct share_control *control);
DEFINE_CLEANUP(struct share_control, share_control_destroy)

#endif
