/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vhost_user_proto.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "common/bytes.h"

#define FLAG_VERSION      0x1u
#define FLAG_VERSION_MASK 0x3u
#define FLAG_REPLY        0x4u
#define FLAG_NEED_REPLY   0x8u

#define RING_FD_INDEX 0xffull
#define RING_FD_NONE  0x100ull

int vhost_user_decode_header(const uint8_t buf[VHOST_USER_HEADER_SIZE],
			     struct vhost_user_header *ret)
{
	struct bytes b = bytes_of(buf, VHOST_USER_HEADER_SIZE);
	uint32_t flags;

	ret->request = bytes_le32(&b);
	flags = bytes_le32(&b);
	ret->size = bytes_le32(&b);
	ret->need_reply = flags & FLAG_NEED_REPLY;
	if ((flags & FLAG_VERSION_MASK) != FLAG_VERSION || (flags & FLAG_REPLY) ||
	    ret->size > VHOST_USER_MAX_PAYLOAD)
		return -EPROTO;
	return 0;
}

void vhost_user_encode_header(uint32_t request, uint32_t size, uint8_t buf[VHOST_USER_HEADER_SIZE])
{
	const uint32_t words[] = {
		htole32(request),
		htole32(FLAG_VERSION | FLAG_REPLY),
		htole32(size),
	};

	static_assert(sizeof(words) == VHOST_USER_HEADER_SIZE, "three words");
	memcpy(buf, words, sizeof(words));
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_size, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int check_region(const struct vhost_user_message *msg, unsigned i)
{
	const struct vhost_user_region *r = &msg->regions[i];

	if (!r->size || r->gpa > UINT64_MAX - r->size || r->front_addr > UINT64_MAX - r->size ||
	    r->fd_offset > (uint64_t)INT64_MAX - r->size || r->size > (uint64_t)INT64_MAX)
		return -EPROTO;
	for (unsigned k = 0; k < i; k++) {
		const struct vhost_user_region *o = &msg->regions[k];

		if (overlap(r->gpa, o->gpa, r->size, o->size) ||
		    overlap(r->front_addr, o->front_addr, r->size, o->size))
			return -EPROTO;
	}
	return 0;
}

static int decode_memory(struct bytes *b, size_t n_fds, struct vhost_user_message *ret)
{
	uint32_t n = bytes_le32(b);

	bytes_le32(b); /* padding */
	if (!n || n > VHOST_USER_MAX_REGIONS || n != n_fds)
		return -EPROTO;
	ret->n_regions = n;
	for (unsigned i = 0; i < n; i++) {
		struct vhost_user_region *region = &ret->regions[i];

		region->gpa = bytes_le64(b);
		region->size = bytes_le64(b);
		region->front_addr = bytes_le64(b);
		region->fd_offset = bytes_le64(b);
		if (b->failed || check_region(ret, i) < 0)
			return -EPROTO;
	}
	return 0;
}

static int decode_ring_fd(struct bytes *b, size_t n_fds, struct vhost_user_message *ret)
{
	uint64_t v = bytes_le64(b);

	ret->index = v & RING_FD_INDEX;
	ret->no_fd = v & RING_FD_NONE;
	return v & ~(RING_FD_INDEX | RING_FD_NONE) || n_fds != (ret->no_fd ? 0 : 1) ? -EPROTO : 0;
}

static void decode_ring_addr(struct bytes *b, struct vhost_user_message *ret)
{
	ret->index = bytes_le32(b);
	bytes_le32(b); /* flags: only about a log, which we do not offer */
	ret->desc = bytes_le64(b);
	ret->used = bytes_le64(b);
	ret->avail = bytes_le64(b);
	bytes_le64(b); /* the log */
}

static int decode_config(struct bytes *b, struct vhost_user_message *ret)
{
	ret->config_offset = bytes_le32(b);
	ret->config_size = bytes_le32(b);
	bytes_le32(b); /* flags */
	if (ret->config_size > VHOST_USER_MAX_CONFIG ||
	    ret->config_offset > VHOST_USER_MAX_CONFIG - ret->config_size ||
	    !bytes_take(b, ret->config_size))
		return -EPROTO;
	return 0;
}

static int decode_fields(struct bytes *b, size_t n_fds, struct vhost_user_message *ret)
{
	switch (ret->request) {
	case VHOST_USER_GET_FEATURES:
	case VHOST_USER_GET_PROTOCOL_FEATURES:
	case VHOST_USER_GET_QUEUE_NUM:
	case VHOST_USER_SET_OWNER:
	case VHOST_USER_RESET_OWNER:
		return 0;
	case VHOST_USER_SET_FEATURES:
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		ret->value = bytes_le64(b);
		return 0;
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
		ret->index = bytes_le32(b);
		ret->number = bytes_le32(b);
		return 0;
	case VHOST_USER_SET_VRING_ADDR:
		decode_ring_addr(b, ret);
		return 0;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		return decode_ring_fd(b, n_fds, ret);
	case VHOST_USER_SET_MEM_TABLE:
		return decode_memory(b, n_fds, ret);
	case VHOST_USER_GET_CONFIG:
	case VHOST_USER_SET_CONFIG:
		return decode_config(b, ret);
	default:
		return -EOPNOTSUPP;
	}
}

static bool takes_fds(uint32_t request)
{
	return request == VHOST_USER_SET_MEM_TABLE || request == VHOST_USER_SET_VRING_KICK ||
	       request == VHOST_USER_SET_VRING_CALL || request == VHOST_USER_SET_VRING_ERR;
}

int vhost_user_decode(const struct vhost_user_header *header, const uint8_t *payload, size_t n_fds,
		      struct vhost_user_message *ret)
{
	struct bytes b = bytes_of(payload, header->size);
	int r;

	*ret = (struct vhost_user_message){
		.request = header->request,
		.need_reply = header->need_reply,
	};
	r = decode_fields(&b, n_fds, ret);
	if (r < 0)
		return r;
	if (b.failed || bytes_left(&b) || (n_fds && !takes_fds(header->request)))
		return -EPROTO;
	return 0;
}
