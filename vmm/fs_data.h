/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data half of the file server: what a FUSE request asks of open descriptors, and nothing else.
 * Runs on any thread and may block. No name is looked up here.
 */
#ifndef VMM_FS_DATA_H
#define VMM_FS_DATA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/fuse_proto.h"

struct fs_transfer {
	const struct fuse_request *req;
	int fd, fd_out;    /* fd_out: of COPY_FILE_RANGE */
	struct iovec *iov; /* of READ and WRITE; is used up */
	unsigned n_iov;
	mode_t restore; /* set by WRITE: the mode that the file should have kept, and we had no right to keep */
};

/* READ, WRITE, COPY_FILE_RANGE: bytes; LSEEK: the offset; FSYNC, FALLOCATE: 0; or -errno. */
int64_t fs_data_serve(struct fs_transfer *transfer);

/* Whether fs_data_serve() serves it. */
bool fs_data_serves(uint32_t opcode);

/*
 * Before this thread changes the contents of fd: whether that clears the file's set-user-id and
 * set-group-id bits is a matter of the thread's CAP_FSETID, and of who the guest's writer is. kill:
 * somebody who has no such right. Returns 0; or, where they should stay and this process may not keep
 * them, the mode for somebody else to give back.
 */
mode_t fs_data_prepare(int fd, bool kill);
/* Gives the right back, where more than data is this thread's business. */
void fs_data_restore(void);

#endif
