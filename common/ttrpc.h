/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ttrpc frame codec. Pure: bytes in, bytes out, no memory, no descriptors.
 *
 *	0       4         8      9       10
 *	+-------+---------+------+-------+------- … -------+
 *	| length| stream  | type | flags | length bytes    |
 *	+-------+---------+------+-------+------- … -------+
 *	  be32     be32      u8     u8
 *
 * Clients open odd streams in rising order. Types: 1 request, 2 response, 3 data (streaming, which
 * sbx does not use and skips). A frame's data is at most 4 MiB.
 */
#ifndef COMMON_TTRPC_H
#define COMMON_TTRPC_H

#include <stddef.h>
#include <stdint.h>

#define TTRPC_HEADER_SIZE 10
#define TTRPC_MAX_DATA    (4u << 20)

enum ttrpc_type {
	TTRPC_REQUEST = 1,
	TTRPC_RESPONSE = 2,
	TTRPC_DATA = 3,
};

struct ttrpc_header {
	uint32_t length;
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
};

/* Any 10 bytes decode; the caller judges the fields. */
/*@ requires \valid_read(buf + (0 .. TTRPC_HEADER_SIZE - 1)) && \valid(ret);
    requires \separated(buf + (0 .. TTRPC_HEADER_SIZE - 1), ret);
    assigns *ret;
 */
void ttrpc_header_decode(const uint8_t buf[TTRPC_HEADER_SIZE], struct ttrpc_header *ret);
/*@ requires \valid(buf + (0 .. TTRPC_HEADER_SIZE - 1)) && \valid_read(header);
    requires \separated(buf + (0 .. TTRPC_HEADER_SIZE - 1), header);
    assigns buf[0 .. TTRPC_HEADER_SIZE - 1];
 */
void ttrpc_header_encode(const struct ttrpc_header *header, uint8_t buf[TTRPC_HEADER_SIZE]);

#endif
