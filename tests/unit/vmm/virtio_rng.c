/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio_rng.h"

#include <criterion/criterion.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"

static struct guest g;
static struct loop *loop;
static struct virtio_device *dev;
static struct fake_transport transport;
static struct driver_queue q;
static uint64_t data;

static void setup(void)
{
	guest_init(&g, 1 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_rng_create(&dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	data = guest_alloc(&g, 256 << 10);
}

static void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	guest_finish(&g);
}

TestSuite(virtio_rng, .init = setup, .fini = teardown);

static unsigned zeroes(uint64_t gpa, unsigned n)
{
	const uint8_t *p = guest_at(&g, gpa);
	unsigned found = 0;

	while (n--)
		found += !*p++;
	return found;
}

Test(virtio_rng, fills_every_segment)
{
	struct driver_segment segs[] = {{data, 64, true}, {data + 4096, 1000, true}};
	uint32_t head, len;

	driver_add(&q, segs, 2);
	virtio_kick(dev, 0);
	cr_assert(driver_get(&q, &head, &len));
	cr_expect_eq(len, 1064);
	cr_expect_lt(zeroes(data, 64) + zeroes(data + 4096, 1000), 100);
	cr_expect_eq(zeroes(data + 5096, 100), 100);
	cr_expect_eq(transport.used[0], 1);
}

Test(virtio_rng, a_request_gets_64_kib_at_most)
{
	struct driver_segment seg = {data, 256 << 10, true};
	uint32_t head, len;

	driver_add(&q, &seg, 1);
	virtio_kick(dev, 0);
	cr_assert(driver_get(&q, &head, &len));
	cr_expect_eq(len, 64 << 10);
	cr_expect_eq(zeroes(data + (64 << 10), 4096), 4096);
}

Test(virtio_rng, a_turn_serves_few_and_the_next_goes_on)
{
	struct driver_segment seg = {data, 16, true};

	for (unsigned i = 0; i < 40; i++)
		driver_add(&q, &seg, 1);
	virtio_kick(dev, 0);
	cr_expect_gt(driver_used_count(&q), 0);
	cr_expect_lt(driver_used_count(&q), 40);
	for (unsigned i = 0; i < 40; i++)
		loop_turn(loop, 0);
	cr_expect_eq(driver_used_count(&q), 40);
}

Test(virtio_rng, a_request_that_cannot_be_filled_gets_nothing)
{
	struct driver_segment seg = {data, 16, false};
	uint32_t head, len;

	driver_add(&q, &seg, 1);
	virtio_kick(dev, 0);
	cr_assert(driver_get(&q, &head, &len));
	cr_expect_eq(len, 0);
	cr_expect_eq(zeroes(data, 16), 16);
}

Test(virtio_rng, a_broken_ring_breaks_the_device)
{
	q.avail->idx = 1000;
	virtio_kick(dev, 0);
	cr_expect_eq(transport.resets, 1);
	virtio_kick(dev, 0);
	cr_expect_eq(transport.resets, 1);
}
