/* SPDX-License-Identifier: Apache-2.0 */
/* Rings as drivers keep them, direct and indirect, and both sides' wish to be told. */
#include <errno.h>

#include "tests/unit/vmm/queue_guest.h"

TestSuite(virtqueue, .init = setup, .fini = teardown);

Test(virtqueue, an_empty_queue_yields_nothing)
{
	cr_expect_eq(virtq_pop(&vq, &chain), 0);
}

Test(virtqueue, a_chain_is_split_into_readable_and_writable)
{
	struct driver_segment segs[] = {
		{page, 16, false}, {page + 100, 7, false}, {page + 512, 9, true}};

	cr_assert_eq(pop_one(segs, 3), 1);
	cr_expect_eq(chain.n_out, 2);
	cr_expect_eq(chain.n_in, 1);
	cr_expect_eq(chain.out_len, 23);
	cr_expect_eq(chain.in_len, 9);
	cr_expect_eq(chain.iov[1].iov_base, guest_at(&g, page + 100));
	cr_expect_eq(chain.iov[2].iov_base, guest_at(&g, page + 512));
	cr_expect_eq(virtq_pop(&vq, &chain), 0);
}

Test(virtqueue, reads_and_writes_cross_segments)
{
	struct driver_segment segs[] = {{page, 3, false},
					{page + 100, 5, false},
					{page + 512, 2, true},
					{page + 600, 6, true}};
	char buf[16] = {0};

	memcpy(guest_at(&g, page), "abc", 3);
	memcpy(guest_at(&g, page + 100), "defgh", 5);
	cr_assert_eq(pop_one(segs, 4), 1);
	cr_expect_eq(chain_read(&chain, 2, buf, sizeof(buf)), 6);
	cr_expect_str_eq(buf, "cdefgh");
	cr_expect_eq(chain_write(&chain, 1, "123456789", 9), 7);
	cr_expect_arr_eq(guest_at(&g, page + 513), "1", 1);
	cr_expect_arr_eq(guest_at(&g, page + 600), "234567", 6);
	cr_expect_eq(chain_read(&chain, 8, buf, 1), 0);
}

Test(virtqueue, unpop_gives_the_same_chain_again)
{
	struct driver_segment a = {page, 1, false}, b = {page, 2, false};

	driver_add(&q, &a, 1);
	driver_add(&q, &b, 1);
	cr_assert_eq(virtq_pop(&vq, &chain), 1);
	virtq_unpop(&vq);
	cr_assert_eq(virtq_pop(&vq, &chain), 1);
	cr_expect_eq(chain.out_len, 1);
	cr_assert_eq(virtq_pop(&vq, &chain), 1);
	cr_expect_eq(chain.out_len, 2);
}

Test(virtqueue, a_used_element_reaches_the_driver_over_any_wrap)
{
	struct driver_segment seg = {page, 64, true};

	for (uint32_t i = 0; i < 70000; i++) {
		uint32_t head, len;
		uint16_t added = driver_add(&q, &seg, 1);

		cr_assert_eq(virtq_pop(&vq, &chain), 1);
		virtq_push(&vq, chain.head, i);
		cr_assert(driver_get(&q, &head, &len));
		cr_assert_eq(head, added);
		cr_assert_eq(len, i);
	}
}

/* --- indirect tables ----------------------------------------------------------------------- */

static int pop_indirect(const struct vring_desc *table, unsigned n, uint32_t len, uint16_t flags)
{
	uint64_t gpa = guest_alloc(&g, 16 * n);
	uint16_t head = q.next_desc;

	q.next_desc = (uint16_t)((head + 1) % SIZE);
	memcpy(guest_at(&g, gpa), table, 16 * n);
	q.desc[head] = (struct vring_desc){
		.addr = gpa,
		.len = len,
		.flags = VRING_DESC_F_INDIRECT | flags,
	};
	driver_offer(&q, head);
	return virtq_pop(&vq, &chain);
}

Test(virtqueue, an_indirect_chain_may_be_longer_than_the_queue)
{
	struct vring_desc table[VIRTQ_MAX_CHAIN];

	for (uint16_t i = 0; i < VIRTQ_MAX_CHAIN; i++)
		table[i] = (struct vring_desc){
			.addr = page,
			.len = 4,
			.flags = i + 1 < VIRTQ_MAX_CHAIN ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	/* Its write flag means nothing (virtio 1.2, 2.7.5.3.2). */
	cr_assert_eq(pop_indirect(table, VIRTQ_MAX_CHAIN, sizeof(table), VRING_DESC_F_WRITE), 1);
	cr_expect_eq(chain.n_out, VIRTQ_MAX_CHAIN);
	cr_expect_eq(chain.out_len, 4 * VIRTQ_MAX_CHAIN);
}

Test(virtqueue, direct_segments_may_precede_an_indirect_table)
{
	struct driver_segment seg = {page, 5, false};
	uint64_t gpa = guest_alloc(&g, 16);
	struct vring_desc *inner = guest_at(&g, gpa);

	*inner = (struct vring_desc){.addr = page, .len = 6, .flags = VRING_DESC_F_WRITE};
	driver_chain(&q, &seg, 1);
	q.desc[0].flags = VRING_DESC_F_NEXT;
	q.desc[1] = (struct vring_desc){.addr = gpa, .len = 16, .flags = VRING_DESC_F_INDIRECT};
	driver_offer(&q, 0);
	cr_assert_eq(virtq_pop(&vq, &chain), 1);
	cr_expect_eq(chain.out_len, 5);
	cr_expect_eq(chain.in_len, 6);
}

Test(virtqueue, an_indirect_loop_is_refused)
{
	struct vring_desc loop = {.addr = page, .len = 0, .flags = VRING_DESC_F_NEXT, .next = 0};

	cr_expect_eq(pop_indirect(&loop, 1, 16, 0), -EINVAL);
}

Test(virtqueue, an_indirect_chain_too_long_is_refused)
{
	struct vring_desc table[VIRTQ_MAX_CHAIN + 1];

	for (uint16_t i = 0; i < VIRTQ_MAX_CHAIN + 1; i++)
		table[i] = (struct vring_desc){
			.addr = page,
			.len = 1,
			.flags = i < VIRTQ_MAX_CHAIN ? VRING_DESC_F_NEXT : 0,
			.next = (uint16_t)(i + 1),
		};
	cr_expect_eq(pop_indirect(table, VIRTQ_MAX_CHAIN + 1, sizeof(table), 0), -EINVAL);
}

Test(virtqueue, broken_indirect_tables_are_refused)
{
	const struct vring_desc one = {.addr = page, .len = 1};
	const struct vring_desc nested = {.addr = page, .len = 16, .flags = VRING_DESC_F_INDIRECT};
	const struct {
		const struct vring_desc *desc;
		uint32_t len;
		uint16_t flags;
		int r;
	} cases[] = {
		{&one, 0, 0, -EINVAL},     {&one, 15, 0, -EINVAL},
		{&one, 17, 0, -EINVAL},    {&one, 16, VRING_DESC_F_NEXT, -EINVAL},
		{&nested, 16, 0, -EINVAL}, {&one, 0xfffffff0, 0, -EFAULT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		q.next_desc = 0;
		q.avail_idx = vq.next_avail;
		cr_expect_eq(pop_indirect(cases[i].desc, 1, cases[i].len, cases[i].flags),
			     cases[i].r, "case %zu", i);
	}
}

Test(virtqueue, a_chain_of_4_gib_is_refused)
{
	struct vring_desc table[2];
	struct guest big = {.size = 1 << 20};
	int r;

	/* One region that claims 4 GiB: nothing is read there. */
	big.mem = g.mem;
	big.mem.n_regions = 2;
	big.mem.regions[1] =
		(struct memory_region){.gpa = 1ull << 32, .size = 1ull << 32, .host = g.ram};
	vq.mem = &big.mem;
	table[0] = (struct vring_desc){
		.addr = 1ull << 32, .len = UINT32_MAX, .flags = VRING_DESC_F_NEXT, .next = 1};
	table[1] = (struct vring_desc){.addr = page, .len = 1};
	r = pop_indirect(table, 2, sizeof(table), 0);
	cr_expect_eq(r, -EINVAL);
}

/* --- set-up -------------------------------------------------------------------------------- */

static int start_with(uint16_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct virtq v = {.max_size = 256, .size = size};

	v.desc_gpa = desc;
	v.avail_gpa = avail;
	v.used_gpa = used;
	return virtq_start(&v, &g.mem, true);
}

Test(virtqueue, rings_must_be_aligned_and_inside_memory)
{
	uint64_t a = GUEST_BASE, end = GUEST_BASE + (1 << 20);

	cr_expect_eq(start_with(8, a, a + 4096, a + 8192), 0);
	cr_expect_eq(start_with(0, a, a, a), -EINVAL);
	cr_expect_eq(start_with(3, a, a, a), -EINVAL);
	cr_expect_eq(start_with(512, a, a, a), -EINVAL);
	cr_expect_eq(start_with(8, a + 8, a, a), -EINVAL);
	cr_expect_eq(start_with(8, a, a + 1, a), -EINVAL);
	cr_expect_eq(start_with(8, a, a, a + 2), -EINVAL);
	cr_expect_eq(start_with(8, end - 128, a, a), 0);
	cr_expect_eq(start_with(8, end - 112, a, a), -EFAULT);
	cr_expect_eq(start_with(8, a, end - 20, a), -EFAULT);
	cr_expect_eq(start_with(8, a, a, end - 68), -EFAULT);
	cr_expect_eq(start_with(8, 0, a, a), -EFAULT);
	cr_expect_eq(start_with(8, UINT64_MAX - 15, a, a), -EFAULT);
}

/* --- notifications ------------------------------------------------------------------------- */

static void serve_one(void)
{
	struct driver_segment seg = {page, 1, true};

	cr_assert_eq(pop_one(&seg, 1), 1);
	virtq_push(&vq, chain.head, 1);
}

Test(virtqueue, with_event_idx_the_driver_is_told_once_it_wants)
{
	uint16_t *used_event = &q.avail->ring[SIZE];

	cr_expect_not(virtq_should_notify(&vq));
	*used_event = 1; /* "when the second one is used" */
	serve_one();
	cr_expect_not(virtq_should_notify(&vq));
	serve_one();
	cr_expect(virtq_should_notify(&vq));
	cr_expect_not(virtq_should_notify(&vq));
	*used_event = 2;
	serve_one();
	cr_expect(virtq_should_notify(&vq));
}

Test(virtqueue, without_event_idx_a_flag_rules)
{
	vq.event_idx = false;
	serve_one();
	cr_expect(virtq_should_notify(&vq));
	q.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	serve_one();
	cr_expect_not(virtq_should_notify(&vq));
	virtq_disable_notify(&vq);
	cr_expect_eq(q.used->flags, VRING_USED_F_NO_NOTIFY);
	cr_expect_not(virtq_enable_notify(&vq));
	cr_expect_eq(q.used->flags, 0);
}

Test(virtqueue, asking_for_kicks_sees_what_came_meanwhile)
{
	struct driver_segment seg = {page, 1, true};
	uint16_t *avail_event = (uint16_t *)&q.used->ring[SIZE];

	cr_expect_not(virtq_enable_notify(&vq));
	driver_add(&q, &seg, 1);
	cr_expect(virtq_enable_notify(&vq));
	cr_assert_eq(virtq_pop(&vq, &chain), 1);
	cr_expect_not(virtq_enable_notify(&vq));
	cr_expect_eq(*avail_event, 1);
}
