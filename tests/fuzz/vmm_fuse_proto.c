/* SPDX-License-Identifier: Apache-2.0 */
/* FUSE requests, decoded: whatever comes, what is pointed at lies inside and names are names. */
#include <stdlib.h>
#include <string.h>

#include "common/path.h"
#include "vmm/fuse_proto.h"

static void check_inside(const uint8_t *data, size_t size, const void *at, size_t n)
{
	const uint8_t *p = at;

	if (p && (p < data || n > size || p > data + size - n))
		abort();
}

static void check_name(const uint8_t *data, size_t size, const struct fuse_request *req)
{
	switch (req->h.opcode) {
	case FUSE_RENAME:
	case FUSE_RENAME2:
		if (!path_is_name(req->name2))
			abort();
		__attribute__((fallthrough));
	case FUSE_LOOKUP:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_LINK:
	case FUSE_CREATE:
		if (!path_is_name(req->name))
			abort();
	}
	if (req->name)
		check_inside(data, size, req->name, strlen(req->name) + 1);
	if (req->name2)
		check_inside(data, size, req->name2, strlen(req->name2) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuse_request req;
	uint64_t sum = 0;

	if (fuse_decode(data, size, &req) < 0)
		return 0;
	check_name(data, size, &req);
	check_inside(data, size, req.data, req.data_len);
	for (uint32_t i = 0; req.h.opcode == FUSE_BATCH_FORGET && i < req.batch_forget.count; i++)
		sum += fuse_forget_at(&req, i).nlookup;
	return sum == 42 ? -1 : 0;
}
