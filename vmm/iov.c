/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/iov.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

size_t iov_size(const struct iovec *iov, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static size_t copy(const struct iovec *iov, unsigned n, size_t offset, uint8_t *buf, size_t len,
		   bool in)
{
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		uint8_t *base = iov[i].iov_base;
		size_t part = iov[i].iov_len;

		if (offset >= part) {
			offset -= part;
			continue;
		}
		part -= offset;
		if (part > len - done)
			part = len - done;
		if (in)
			memcpy(base + offset, buf + done, part);
		else
			memcpy(buf + done, base + offset, part);
		done += part;
		offset = 0;
	}
	/* The segments may be guest memory: what was copied is not to be read there again. */
	__asm__ volatile("" ::: "memory");
	return done;
}

size_t iov_copy_out(const struct iovec *iov, unsigned n, size_t offset, void *buf, size_t len)
{
	return copy(iov, n, offset, buf, len, false);
}

size_t iov_copy_in(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t len)
{
	return copy(iov, n, offset, (uint8_t *)buf, len, true);
}

void iov_skip(struct iovec **iov, unsigned *n, size_t bytes)
{
	while (*n && bytes >= (*iov)->iov_len) {
		bytes -= (*iov)->iov_len;
		(*iov)++;
		(*n)--;
	}
	if (*n && bytes) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + bytes;
		(*iov)->iov_len -= bytes;
	}
}

unsigned iov_truncate(struct iovec *iov, unsigned n, size_t bytes)
{
	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len > bytes) {
			iov[i].iov_len = bytes;
			return bytes ? i + 1 : i;
		}
		bytes -= iov[i].iov_len;
	}
	return n;
}
