/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink (RFC 3549, linux/rtnetlink.h): messages as bytes, and a socket to send them by.
 *
 * Building and parsing are pure. A message is a header, a fixed part that depends on its type, and
 * attributes; all numbers are in the host's order, addresses in the network's.
 *
 *	0       4      6       8      12     16
 *	+-------+------+-------+------+------+- - - -+- - - - - - -+
 *	| length| type | flags | seq  | port | fixed | attributes  |   all padded to 4
 *	+-------+------+-------+------+------+- - - -+- - - - - - -+
 *	attribute: u16 length (with these 4 bytes), u16 type, value, padding
 */
#ifndef COMMON_NETLINK_H
#define COMMON_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define NL_MSG_MAX 1024

struct nl_msg {
	_Alignas(4) uint8_t buf[NL_MSG_MAX];
	size_t len;
	bool failed; /* it did not fit; stays set, and nl_request() refuses it */
};

/* Begins a message with its fixed part. */
void nl_begin(struct nl_msg *msg, uint16_t type, uint16_t flags, const void *fixed, size_t size);
void nl_put(struct nl_msg *msg, uint16_t attr, const void *value, size_t size);
void nl_put_u8(struct nl_msg *msg, uint16_t attr, uint8_t value);
void nl_put_u32(struct nl_msg *msg, uint16_t attr, uint32_t value);
void nl_put_string(struct nl_msg *msg, uint16_t attr, const char *value);
/* An attribute of attributes: what is put until nl_nest_end() belongs to it. */
size_t nl_nest(struct nl_msg *msg, uint16_t attr);
void nl_nest_end(struct nl_msg *msg, size_t nest);

struct nl_message {
	uint16_t type, flags;
	uint32_t seq;
	struct bytes body; /* the fixed part and the attributes */
};

struct nl_attr {
	uint16_t type;
	struct bytes value;
};

/* The next message, or attribute, of in. 1; 0 at the end; -EPROTO where a length is wrong. */
int nl_next(struct bytes *in, struct nl_message *ret);
int nl_next_attr(struct bytes *in, struct nl_attr *ret);
/* Copies the fixed part out; the attributes are left in body. -EPROTO where it is too short. */
int nl_take_fixed(struct bytes *body, void *fixed, size_t size);

/* Values; -EPROTO where the size is wrong. A string is cut to size and terminated. */
int nl_get(const struct nl_attr *attr, void *value, size_t size);
int nl_get_u32(const struct nl_attr *attr, uint32_t *ret);
void nl_get_string(const struct nl_attr *attr, char *buf, size_t size);

/* --- the socket ----------------------------------------------------------------------------- */

/* A route socket in the calling thread's network namespace. Returns the fd. */
int nl_open(void);

/* Sends msg and waits for the kernel's answer: 0 or its -errno. */
int nl_request(int fd, struct nl_msg *msg);

/* Sends a dump request and calls fn for each message; its negative result ends the dump. */
int nl_dump(int fd, struct nl_msg *msg, int (*fn)(const struct nl_message *message, void *data),
	    void *data);

#endif
