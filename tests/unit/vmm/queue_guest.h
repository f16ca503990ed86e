/* SPDX-License-Identifier: Apache-2.0 */
/* One queue, a driver's side of it, a page for buffers. The state is the including file's own. */
#ifndef TESTS_QUEUE_GUEST_H
#define TESTS_QUEUE_GUEST_H

#include <criterion/criterion.h>

#include "tests/unit/vmm/guest_driver.h"

#define SIZE 16

static struct guest g;
static struct virtq vq;
static struct driver_queue q;
static struct virtq_chain chain;
static uint64_t page;

static inline void setup(void)
{
	guest_init(&g, 1 << 20);
	vq = (struct virtq){.max_size = 256};
	driver_queue_init(&q, &g, &vq, SIZE);
	page = guest_alloc(&g, 4096);
	cr_assert_eq(virtq_start(&vq, &g.mem, true), 0);
}

static inline void teardown(void)
{
	guest_finish(&g);
}

static inline int pop_one(const struct driver_segment *segs, unsigned n)
{
	driver_add(&q, segs, n);
	return virtq_pop(&vq, &chain);
}

#endif
