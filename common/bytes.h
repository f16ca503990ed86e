/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader and writer over bytes. A read past the end yields zero and sets failed, which
 * stays set: a parser reads all its fields, then checks once. Pure; no alignment is needed.
 */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct bytes_out {
	uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
	return (struct bytes){.at = data, .left = size};
}

/* The next n bytes, or NULL (and failed) where fewer are left. */
static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
	const uint8_t *p = b->at;

	if (b->failed || b->left < n) {
		b->failed = true;
		return NULL;
	}
	b->at += n;
	b->left -= n;
	return p;
}

static inline uint8_t *bytes_room(struct bytes_out *b, size_t n)
{
	uint8_t *p = b->at;

	if (b->failed || b->left < n) {
		b->failed = true;
		return NULL;
	}
	b->at += n;
	b->left -= n;
	return p;
}

#define BYTES_DEFINE(bits, order, conv_get, conv_put)                                              \
	static inline uint##bits##_t bytes_##order##bits(struct bytes *b)                          \
	{                                                                                          \
		uint##bits##_t v = 0;                                                              \
		const uint8_t *p = bytes_take(b, sizeof(v));                                       \
                                                                                                   \
		if (p)                                                                             \
			memcpy(&v, p, sizeof(v));                                                  \
		return conv_get(v);                                                                \
	}                                                                                          \
	static inline void bytes_put_##order##bits(struct bytes_out *b, uint##bits##_t v)          \
	{                                                                                          \
		uint8_t *p = bytes_room(b, sizeof(v));                                             \
                                                                                                   \
		v = conv_put(v);                                                                   \
		if (p)                                                                             \
			memcpy(p, &v, sizeof(v));                                                  \
	}

BYTES_DEFINE(16, le, le16toh, htole16)
BYTES_DEFINE(32, le, le32toh, htole32)
BYTES_DEFINE(64, le, le64toh, htole64)
BYTES_DEFINE(16, be, be16toh, htobe16)
BYTES_DEFINE(32, be, be32toh, htobe32)

static inline uint8_t bytes_u8(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 1);

	return p ? *p : 0;
}

static inline void bytes_put_u8(struct bytes_out *b, uint8_t v)
{
	uint8_t *p = bytes_room(b, 1);

	if (p)
		*p = v;
}

#endif
