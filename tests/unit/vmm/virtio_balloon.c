/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio_balloon.h"

#include <criterion/criterion.h>
#include <linux/virtio_balloon.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"

#define PAGE     4096u
#define RAM_SIZE (4u << 20)

enum { INFLATE, DEFLATE, REPORTING };

static struct guest g;
static struct loop *loop;
static struct virtio_device *dev;
static struct fake_transport transport;
static struct driver_queue q[3];
static uint64_t data;
static uint8_t *heap;

/* As the monitor's: private, anonymous and page aligned. */
static void setup(void)
{
	guest_init(&g, RAM_SIZE);
	heap = g.ram;
	g.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(g.ram, MAP_FAILED);
	g.mem.regions[0].host = g.ram;
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_balloon_create(&dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, q, 0), 0);
	data = guest_alloc(&g, 1 << 20);
	memset(guest_at(&g, data), 0xaa, 1 << 20);
}

static void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	munmap(g.ram, RAM_SIZE);
	free(heap);
}

TestSuite(virtio_balloon, .init = setup, .fini = teardown);

static uint64_t counter(const char *name)
{
	for (unsigned i = 0; i < dev->ops->n_counters; i++)
		if (strcmp(dev->ops->counters[i].name, name) == 0)
			return virtio_counter(dev, i);
	cr_assert_fail("no counter %s", name);
	return 0;
}

static bool given_up(uint64_t gpa)
{
	return *(uint8_t *)guest_at(&g, gpa) == 0;
}

/* A list of n pages from gpa on, at the list's own place. */
static void send_list(unsigned queue, uint64_t gpa, unsigned n)
{
	uint64_t list = guest_alloc(&g, n * sizeof(uint32_t));
	struct driver_segment seg = {list, n * (uint32_t)sizeof(uint32_t), false};
	uint32_t *pages = guest_at(&g, list);

	for (unsigned i = 0; i < n; i++)
		pages[i] = (uint32_t)(gpa / PAGE + i);
	driver_add(&q[queue], &seg, 1);
	virtio_kick(dev, queue);
}

Test(virtio_balloon, reported_memory_goes_back)
{
	struct driver_segment segs[] = {{data, 2 * PAGE, true}, {data + 4 * PAGE, PAGE, true}};
	uint32_t head, len;

	driver_add(&q[REPORTING], segs, 2);
	virtio_kick(dev, REPORTING);
	cr_assert(driver_get(&q[REPORTING], &head, &len));
	cr_expect_eq(len, 0);
	cr_expect(given_up(data) && given_up(data + PAGE) && given_up(data + 4 * PAGE));
	cr_expect(!given_up(data + 2 * PAGE) && !given_up(data + 5 * PAGE));
	cr_expect_eq(counter("reported_bytes"), 3 * PAGE);
	cr_expect_eq(transport.used[REPORTING], 1);
}

Test(virtio_balloon, only_whole_pages_go_back)
{
	struct driver_segment segs[] = {{data + 1, PAGE, true},
					{data + 4 * PAGE + 100, 2 * PAGE, true},
					{data + 8 * PAGE, 10, true}};

	driver_add(&q[REPORTING], segs, 3);
	virtio_kick(dev, REPORTING);
	cr_expect(!given_up(data) && !given_up(data + PAGE));
	cr_expect(!given_up(data + 4 * PAGE) && given_up(data + 5 * PAGE));
	cr_expect(!given_up(data + 6 * PAGE) && !given_up(data + 8 * PAGE));
	cr_expect_eq(counter("reported_bytes"), PAGE);
}

Test(virtio_balloon, an_inflated_page_goes_back_and_a_deflated_one_is_fresh)
{
	send_list(INFLATE, data + PAGE, 2);
	cr_expect(!given_up(data) && given_up(data + PAGE) && given_up(data + 2 * PAGE));
	cr_expect_eq(counter("inflated_bytes"), 2 * PAGE);
	send_list(DEFLATE, data + PAGE, 1);
	cr_expect_eq(counter("deflated_bytes"), PAGE);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_balloon, a_turn_serves_few_and_the_next_goes_on)
{
	struct driver_segment seg = {data, PAGE, true};

	for (unsigned i = 0; i < 50; i++)
		driver_add(&q[REPORTING], &seg, 1);
	virtio_kick(dev, REPORTING);
	cr_expect_lt(driver_used_count(&q[REPORTING]), 50);
	for (unsigned i = 0; i < 50; i++)
		loop_turn(loop, 0);
	cr_expect_eq(driver_used_count(&q[REPORTING]), 50);
}

Test(virtio_balloon, a_page_that_is_not_there_breaks_the_device)
{
	send_list(INFLATE, GUEST_BASE + RAM_SIZE, 1);
	cr_expect_eq(transport.resets, 1);
	send_list(INFLATE, data, 1);
	cr_expect(!given_up(data), "it waits for a reset");
}

Test(virtio_balloon, the_number_of_a_page_does_not_wrap)
{
	uint64_t list = guest_alloc(&g, PAGE);
	struct driver_segment seg = {list, 4, false};

	*(uint32_t *)guest_at(&g, list) = UINT32_MAX;
	driver_add(&q[INFLATE], &seg, 1);
	virtio_kick(dev, INFLATE);
	cr_expect_eq(transport.resets, 1);
}

/* One change each makes a request that no driver sends. */
#define REFUSES(queue, ...)                                                                        \
	do {                                                                                       \
		struct driver_segment segs[] = {__VA_ARGS__};                                      \
                                                                                                   \
		driver_add(&q[queue], segs, sizeof(segs) / sizeof(segs[0]));                       \
		virtio_kick(dev, queue);                                                           \
		cr_expect_eq(transport.resets, 1);                                                 \
		cr_expect(!given_up(data));                                                        \
	} while (0)

Test(virtio_balloon, a_list_has_whole_numbers)
{
	REFUSES(INFLATE, {data, 6, false});
}

Test(virtio_balloon, a_list_is_not_written_to)
{
	REFUSES(INFLATE, {data, 4, false}, {data, PAGE, true});
}

Test(virtio_balloon, a_list_is_bounded)
{
	REFUSES(INFLATE, {data, 4 * 1025, false});
}

Test(virtio_balloon, a_report_is_not_read_from)
{
	REFUSES(REPORTING, {data, PAGE, false});
}

Test(virtio_balloon, its_size_is_zero_whatever_the_driver_writes)
{
	struct virtio_balloon_config config = {.num_pages = 7, .actual = 7};
	const uint32_t actual = 5;

	dev->ops->config_write(dev, 4, &actual, sizeof(actual));
	dev->ops->config_read(dev, 0, &config, sizeof(config));
	cr_expect_eq(config.num_pages, 0);
	cr_expect_eq(config.actual, 0);
}
