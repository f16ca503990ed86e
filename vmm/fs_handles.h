/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a guest has open: descriptors that sbx-share handed over, under the numbers that
 * the guest knows them by. A number is never used twice, so a stale one finds nothing. A handle lives
 * until it has been released and no request uses it any more. The loop's thread only.
 */
#ifndef VMM_FS_HANDLES_H
#define VMM_FS_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

#define FS_MAX_HANDLES 65536u

struct fs_handle {
	int fd;
	unsigned refs; /* the guest's, until RELEASE, and one for each request; 0: free */
	bool released;
	uint32_t index, generation;
	uint32_t next_free;
};

struct fs_handles {
	struct fs_handle **blocks; /* of 256, so that a handle never moves */
	uint32_t n_blocks, n_used, free;
};

void fs_handles_init(struct fs_handles *handles);
/* Whether there is room for n more, also among the process's descriptors. */
bool fs_handles_have_room(const struct fs_handles *handles, uint32_t n);
/* Closes all; no request may be under way. */
void fs_handles_finish(struct fs_handles *handles);

/* Takes fd over where it succeeds. -ENFILE, -ENOMEM. */
int fs_handles_add(struct fs_handles *handles, int fd, uint64_t *ret_fh);
/* For a request, which gives it back; NULL where there is no such handle. */
struct fs_handle *fs_handles_get(struct fs_handles *handles, uint64_t fh);
/* NULL is a no-op. */
void fs_handles_put(struct fs_handles *handles, struct fs_handle *handle);
/* The guest's RELEASE. 0 or -EBADF. */
int fs_handles_release(struct fs_handles *handles, uint64_t fh);

#endif
