/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader and writer over bytes. A read past the end yields zero and sets failed, which
 * stays set: a parser reads all its fields, then checks once. Pure; no alignment is needed.
 *
 * The contracts (ACSL) are proved by `make prove`, for input of any length (docs/proofs.md).
 */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t size;
	size_t at; /* of data[0 .. size), what has been read */
	bool failed;
};

struct bytes_out {
	uint8_t *data;
	size_t size;
	size_t at; /* what has been written */
	bool failed;
};

/*@ predicate bytes_readable(struct bytes *b) =
	\valid(b) && b->at <= b->size && \valid_read(b->data + (0 .. b->size - 1)) &&
	\separated(b, b->data + (0 .. b->size - 1));
    predicate bytes_writable(struct bytes_out *b) =
	\valid(b) && b->at <= b->size && \valid(b->data + (0 .. b->size - 1)) &&
	\separated(b, b->data + (0 .. b->size - 1));
    predicate bytes_took{A, B}(struct bytes *b, integer n) =
	!\at(b->failed, A) && n <= \at(b->size - b->at, A) ?
	!\at(b->failed, B) && \at(b->at, B) == \at(b->at, A) + n :
	\at(b->failed, B) && \at(b->at, B) == \at(b->at, A);
    predicate bytes_put{A, B}(struct bytes_out *b, integer n) =
	!\at(b->failed, A) && n <= \at(b->size - b->at, A) ?
	!\at(b->failed, B) && \at(b->at, B) == \at(b->at, A) + n :
	\at(b->failed, B) && \at(b->at, B) == \at(b->at, A);
 */

/*@ assigns \result \from data, size;
    ensures \result.data == data && \result.size == size;
    ensures \result.at == 0 && !\result.failed;
 */
static inline struct bytes bytes_of(const uint8_t *data, size_t size)
{
	return (struct bytes){.data = data, .size = size};
}

/*@ assigns \result \from data, size;
    ensures \result.data == data && \result.size == size;
    ensures \result.at == 0 && !\result.failed;
 */
static inline struct bytes_out bytes_out_of(uint8_t *data, size_t size)
{
	return (struct bytes_out){.data = data, .size = size};
}

/*@ requires b->at <= b->size && \valid_read(b);
    assigns \nothing;
    ensures \result == b->size - b->at;
 */
static inline size_t bytes_left(const struct bytes *b)
{
	return b->size - b->at;
}

/* The next n bytes, or NULL (and failed) where fewer are left. */
/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    assigns \result \from b->data, b->size, b->at, b->failed, n;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, n);
    ensures b->failed ? \result == \null : \result == b->data + \old(b->at);
 */
static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
	/* An empty reader may have no data at all, and NULL + 0 is no pointer. */
	const uint8_t *p = b->at ? b->data + b->at : b->data;

	if (b->failed || n > b->size - b->at) {
		b->failed = true;
		return NULL;
	}
	b->at += n;
	return p;
}

/* Copies the next n bytes out; false (and failed) where fewer are left. */
static inline bool bytes_copy(struct bytes *b, void *to, size_t n)
{
	if (b->failed || n > b->size - b->at) {
		b->failed = true;
		return false;
	}
	if (n)
		memcpy(to, b->data + b->at, n);
	b->at += n;
	return true;
}

/* Room for n more bytes, or NULL (and failed). */
/*@ requires bytes_writable(b);
    assigns b->at, b->failed;
    assigns \result \from b->data, b->size, b->at, b->failed, n;
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, n);
    ensures b->failed ? \result == \null : \result == b->data + \old(b->at);
 */
static inline uint8_t *bytes_room(struct bytes_out *b, size_t n)
{
	uint8_t *p = b->data + b->at;

	if (b->failed || n > b->size - b->at) {
		b->failed = true;
		return NULL;
	}
	b->at += n;
	return p;
}

/*@ requires \valid_read(p + (0 .. 3));
    assigns \nothing;
 */
static inline uint32_t bytes_load_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/*@ requires \valid_read(p + (0 .. 3));
    assigns \nothing;
 */
static inline uint32_t bytes_load_be32(const uint8_t *p)
{
	return p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 1);
 */
static inline uint8_t bytes_u8(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 1);

	return p ? *p : 0;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 2);
 */
static inline uint16_t bytes_le16(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 2);

	return p ? (uint16_t)(p[0] | ((uint32_t)p[1] << 8)) : 0;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 4);
 */
static inline uint32_t bytes_le32(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 4);

	return p ? bytes_load_le32(p) : 0;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 8);
 */
static inline uint64_t bytes_le64(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 8);

	return p ? bytes_load_le32(p) | (uint64_t)bytes_load_le32(p + 4) << 32 : 0;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 2);
 */
static inline uint16_t bytes_be16(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 2);

	return p ? (uint16_t)(p[1] | ((uint32_t)p[0] << 8)) : 0;
}

/*@ requires bytes_readable(b);
    assigns b->at, b->failed;
    ensures bytes_readable(b) && bytes_took{Old, Post}(b, 4);
 */
static inline uint32_t bytes_be32(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 4);

	return p ? bytes_load_be32(p) : 0;
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 0];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 1);
 */
static inline void bytes_put_u8(struct bytes_out *b, uint8_t v)
{
	uint8_t *p = bytes_room(b, 1);

	if (!p)
		return;
	p[0] = v;
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 1];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 2);
 */
static inline void bytes_put_le16(struct bytes_out *b, uint16_t v)
{
	uint8_t *p = bytes_room(b, 2);

	if (!p)
		return;
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 3];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 4);
 */
static inline void bytes_put_le32(struct bytes_out *b, uint32_t v)
{
	uint8_t *p = bytes_room(b, 4);

	if (!p)
		return;
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 7];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 8);
 */
static inline void bytes_put_le64(struct bytes_out *b, uint64_t v)
{
	uint8_t *p = bytes_room(b, 8);

	if (!p)
		return;
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
	p[4] = (uint8_t)(v >> 32);
	p[5] = (uint8_t)(v >> 40);
	p[6] = (uint8_t)(v >> 48);
	p[7] = (uint8_t)(v >> 56);
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 1];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 2);
 */
static inline void bytes_put_be16(struct bytes_out *b, uint16_t v)
{
	uint8_t *p = bytes_room(b, 2);

	if (!p)
		return;
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/*@ requires bytes_writable(b);
    assigns b->at, b->failed, b->data[b->at .. b->at + 3];
    ensures bytes_writable(b) && bytes_put{Old, Post}(b, 4);
 */
static inline void bytes_put_be32(struct bytes_out *b, uint32_t v)
{
	uint8_t *p = bytes_room(b, 4);

	if (!p)
		return;
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

#endif
