/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vhost-user messages that a back end gets (QEMU's docs/interop/vhost-user.rst), decoded and
 * checked. Pure: bytes and the number of descriptors in, a struct out.
 *
 *	0         4        8       12
 *	+---------+--------+-------+--------- … ---+
 *	| request | flags  | size  | size bytes    |     host byte order, which is little-endian
 *	+---------+--------+-------+--------- … ---+
 */
#ifndef VMM_VHOST_USER_PROTO_H
#define VMM_VHOST_USER_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_USER_HEADER_SIZE 12
#define VHOST_USER_MAX_PAYLOAD 512
#define VHOST_USER_MAX_REGIONS 8
#define VHOST_USER_MAX_CONFIG  256

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
};

#define VHOST_USER_F_PROTOCOL_FEATURES (1ull << 30)

#define VHOST_USER_PROTOCOL_F_MQ        (1ull << 0)
#define VHOST_USER_PROTOCOL_F_REPLY_ACK (1ull << 3)
#define VHOST_USER_PROTOCOL_F_CONFIG    (1ull << 9)

struct vhost_user_header {
	uint32_t request; /* may be one that we do not know */
	uint32_t size;    /* at most VHOST_USER_MAX_PAYLOAD */
	bool need_reply;
};

struct vhost_user_region {
	uint64_t gpa, size, front_addr, fd_offset;
};

struct vhost_user_message {
	uint32_t request;
	bool need_reply;
	uint64_t value;                      /* of those that carry one number */
	uint32_t index;                      /* of those that name a queue */
	uint32_t number;                     /* SET_VRING_NUM, _BASE, _ENABLE */
	bool no_fd;                          /* SET_VRING_KICK, _CALL, _ERR */
	uint64_t desc, used, avail;          /* SET_VRING_ADDR: the front end's addresses */
	uint32_t config_offset, config_size; /* GET_CONFIG, SET_CONFIG */
	unsigned n_regions;
	struct vhost_user_region regions[VHOST_USER_MAX_REGIONS];
};

/* 0, or -EPROTO. */
int vhost_user_decode_header(const uint8_t buf[VHOST_USER_HEADER_SIZE],
			     struct vhost_user_header *ret);

/*
 * payload is header->size bytes. -EPROTO where the size, the number of descriptors or a field makes
 * no sense; -EOPNOTSUPP for a request that is none of ours, which the caller may answer.
 */
int vhost_user_decode(const struct vhost_user_header *header, const uint8_t *payload, size_t n_fds,
		      struct vhost_user_message *ret);

/* A reply's header into buf. */
void vhost_user_encode_header(uint32_t request, uint32_t size, uint8_t buf[VHOST_USER_HEADER_SIZE]);

#endif
