/* SPDX-License-Identifier: Apache-2.0 */
/* Rings that break the rules, and a driver that rewrites them while they are looked at. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "tests/unit/vmm/queue_guest.h"

TestSuite(virtqueue_hostile, .init = setup, .fini = teardown);

Test(virtqueue_hostile, a_direct_loop_is_refused)
{
	struct driver_segment segs[] = {{page, 1, false}, {page, 1, false}};
	uint16_t head = driver_chain(&q, segs, 2);

	q.desc[1].flags = VRING_DESC_F_NEXT;
	q.desc[1].next = 0;
	driver_offer(&q, head);
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
}

Test(virtqueue_hostile, next_and_head_beyond_the_table_are_refused)
{
	struct driver_segment segs[] = {{page, 1, false}, {page, 1, false}};

	driver_chain(&q, segs, 2);
	q.desc[0].next = SIZE;
	driver_offer(&q, 0);
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
	q.avail->ring[0] = SIZE;
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
	q.avail->ring[0] = 0xffff;
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
}

Test(virtqueue_hostile, an_avail_index_too_far_ahead_is_refused)
{
	q.avail->idx = SIZE + 1;
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
	q.avail->idx = 0xffff; /* behind: just as far */
	cr_expect_eq(virtq_pop(&vq, &chain), -EINVAL);
}

Test(virtqueue_hostile, readable_after_writable_is_refused)
{
	struct driver_segment segs[] = {{page, 1, true}, {page, 1, false}};

	cr_expect_eq(pop_one(segs, 2), -EINVAL);
}

Test(virtqueue_hostile, segments_outside_memory_are_refused)
{
	const struct driver_segment bad[] = {
		{0, 1, false},
		{GUEST_BASE - 1, 2, false},
		{GUEST_BASE + (1 << 20), 1, true},
		{GUEST_BASE + (1 << 20) - 1, 2, true},
		{page, UINT32_MAX, true},
		{UINT64_MAX, 2, true},
		{UINT64_MAX - 4095, 4096, false},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		virtq_reset(&vq);
		g.used = 0;
		driver_queue_init(&q, &g, &vq, SIZE);
		memset(g.ram, 0, g.size);
		cr_assert_eq(virtq_start(&vq, &g.mem, true), 0);
		cr_expect_eq(pop_one(&bad[i], 1), -EFAULT, "case %zu", i);
	}
}

Test(virtqueue_hostile, segments_without_bytes_are_skipped)
{
	struct driver_segment segs[] = {{0, 0, false}, {page, 4, false}, {0, 0, true}};

	cr_assert_eq(pop_one(segs, 3), 1);
	cr_expect_eq(chain.n_out, 1);
	cr_expect_eq(chain.n_in, 0);
}

/* --- a driver that rewrites everything while we look ---------------------------------------- */

static atomic_bool stop;

static void *hostile_driver(void *data)
{
	uint64_t tables = *(uint64_t *)data, state = 0x9e3779b97f4a7c15;
	struct vring_desc *inner = guest_at(&g, tables);

	while (!atomic_load(&stop)) {
		driver_scribble(&q, &state, tables);
		driver_scribble_desc(&q, &inner[driver_random(&state) % 512], &state, tables);
	}
	return NULL;
}

static bool in_ram(const struct iovec *iov)
{
	const uint8_t *p = iov->iov_base;

	return iov->iov_len && p >= g.ram && p < g.ram + g.size &&
	       iov->iov_len <= (size_t)(g.ram + g.size - p);
}

static void check_chain(void)
{
	uint64_t out = 0, in = 0;

	cr_assert_leq(chain.n_out + chain.n_in, VIRTQ_MAX_CHAIN);
	cr_assert_lt(chain.head, SIZE);
	for (unsigned i = 0; i < chain.n_out + chain.n_in; i++) {
		cr_assert(in_ram(&chain.iov[i]));
		*(i < chain.n_out ? &out : &in) += chain.iov[i].iov_len;
	}
	cr_assert_eq(out, chain.out_len);
	cr_assert_eq(in, chain.in_len);
}

Test(virtqueue_hostile, a_driver_that_rewrites_while_we_look_gets_nowhere)
{
	uint64_t tables = guest_alloc(&g, 16 * 512), good = 0, bad = 0;
	struct timespec begin, now;
	long ms;
	pthread_t thread;
	char buf[64];

	cr_assert_eq(pthread_create(&thread, NULL, hostile_driver, &tables), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (unsigned i = 0; i < 1000; i++) {
			int r = virtq_pop(&vq, &chain);

			if (r > 0) {
				check_chain();
				chain_read(&chain, 0, buf, sizeof(buf));
				virtq_push(&vq, chain.head, 0);
				good++;
			} else if (r < 0) {
				/* As a reset would: start again behind what was broken. */
				cr_assert(r == -EINVAL || r == -EFAULT);
				vq.next_avail = vq.next_used;
				bad++;
			}
			virtq_should_notify(&vq);
			virtq_enable_notify(&vq);
			if (r == 0)
				sched_yield(); /* the driver's turn, where there is one processor for both */
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
		/* A busy machine may give the driver's thread little time. */
	} while (ms < 300 || (ms < 20000 && (good < 100 || bad < 100)));
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	/* Both must have been met, or the test tests nothing. */
	cr_expect_geq(good, 100);
	cr_expect_geq(bad, 100);
}
