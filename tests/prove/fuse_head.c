/* SPDX-License-Identifier: Apache-2.0 */
/* What Eva runs: a request of every length up to MAX, its bytes unknown, that ends where its buffer ends. */
#include <__fc_builtin.h>

#include "vmm/fuse_head.h"

#define MAX 200 /* a header with the longest arguments has 128 */

void main(void)
{
	static uint8_t buf[MAX];
	struct fuse_request req;
	struct bytes b;
	enum fuse_tail tail;
	unsigned len = Frama_C_unsigned_int_interval(0, MAX);
	int r;

	Frama_C_make_unknown((char *)buf, MAX);
	//@ split len;
	b = bytes_of(buf + (MAX - len), len);
	r = fuse_decode_head(&b, &req, &tail);
	//@ check r <= 0 && b.at <= b.size;
}
