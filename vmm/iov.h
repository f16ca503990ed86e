/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of memory segments: copying, skipping and cutting. Pure. */
#ifndef VMM_IOV_H
#define VMM_IOV_H

#include <stddef.h>
#include <sys/uio.h>

size_t iov_size(const struct iovec *iov, unsigned n);

/* Copy from offset on, out of or into the segments. Return the bytes copied. */
size_t iov_copy_out(const struct iovec *iov, unsigned n, size_t offset, void *buf, size_t len);
size_t iov_copy_in(const struct iovec *iov, unsigned n, size_t offset, const void *buf, size_t len);

/* Drops the first bytes, in place: *iov and *n then are the rest. bytes may exceed the size. */
void iov_skip(struct iovec **iov, unsigned *n, size_t bytes);

/* Keeps at most the first bytes, in place. Returns how many segments are left. */
unsigned iov_truncate(struct iovec *iov, unsigned n, size_t bytes);

#endif
