/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fs_handles.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "common/cleanup.h"

#define BLOCK 256u
#define NONE  UINT32_MAX

#define FDS_KEPT_BACK 256 /* of the process's limit, for what are not guests' files */

void fs_handles_init(struct fs_handles *handles)
{
	*handles = (struct fs_handles){.free = NONE};
}

void fs_handles_finish(struct fs_handles *handles)
{
	for (uint32_t i = 0; i < handles->n_blocks; i++) {
		for (uint32_t k = 0; k < BLOCK; k++)
			close_fd(&handles->blocks[i][k].fd);
		free(handles->blocks[i]);
	}
	free(handles->blocks);
	fs_handles_init(handles);
}

bool fs_handles_have_room(const struct fs_handles *handles, uint32_t n)
{
	struct rlimit files;

	if (handles->n_used + n > FS_MAX_HANDLES)
		return false;
	return getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	       handles->n_used + n + FDS_KEPT_BACK <= files.rlim_cur;
}

static struct fs_handle *at(const struct fs_handles *handles, uint32_t i)
{
	return &handles->blocks[i / BLOCK][i % BLOCK];
}

static int add_block(struct fs_handles *handles)
{
	uint32_t first = handles->n_blocks * BLOCK;
	struct fs_handle **blocks, *block;

	if (first >= FS_MAX_HANDLES)
		return -ENFILE;
	blocks = realloc(handles->blocks, (handles->n_blocks + 1) * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	handles->blocks = blocks;
	block = calloc(BLOCK, sizeof(*block));
	if (!block)
		return -ENOMEM;
	blocks[handles->n_blocks++] = block;
	for (uint32_t i = BLOCK; i-- > 0;) {
		block[i].fd = -1;
		block[i].index = first + i;
		block[i].next_free = handles->free;
		handles->free = first + i;
	}
	return 0;
}

int fs_handles_add(struct fs_handles *handles, int fd, uint64_t *ret_fh)
{
	struct fs_handle *handle;
	uint32_t i;
	int r = handles->free == NONE ? add_block(handles) : 0;

	if (r < 0)
		return r;
	i = handles->free;
	handle = at(handles, i);
	handles->free = handle->next_free;
	handle->fd = fd;
	handle->refs = 1;
	handle->released = false;
	handles->n_used++;
	*ret_fh = (uint64_t)handle->generation << 32 | i;
	return 0;
}

static struct fs_handle *find(struct fs_handles *handles, uint64_t fh)
{
	uint32_t i = (uint32_t)fh;
	struct fs_handle *handle;

	if (i / BLOCK >= handles->n_blocks)
		return NULL;
	handle = at(handles, i);
	return handle->refs && !handle->released && handle->generation == fh >> 32 ? handle : NULL;
}

struct fs_handle *fs_handles_get(struct fs_handles *handles, uint64_t fh)
{
	struct fs_handle *handle = find(handles, fh);

	if (handle)
		handle->refs++;
	return handle;
}

void fs_handles_put(struct fs_handles *handles, struct fs_handle *handle)
{
	if (!handle || --handle->refs)
		return;
	close_fd(&handle->fd);
	handle->generation++;
	handle->next_free = handles->free;
	handles->free = handle->index;
	handles->n_used--;
}

int fs_handles_release(struct fs_handles *handles, uint64_t fh)
{
	struct fs_handle *handle = find(handles, fh);

	if (!handle)
		return -EBADF;
	handle->released = true;
	fs_handles_put(handles, handle);
	return 0;
}
