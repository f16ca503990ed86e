/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio_mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_mem.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"

#define MIB      (1ull << 20)
#define RAM_SIZE (1 * MIB)
#define BASE     0x100000000ull
#define SIZE     (16 * MIB)
#define BLOCK    VIRTIO_MEM_BLOCK

static struct guest g;
static struct loop *loop;
static struct virtio_device *dev;
static struct fake_transport transport;
static struct driver_queue q[1];
static uint8_t *region;
static uint64_t buffers; /* of one request and one answer */
static int open_result;
static unsigned opened;

/* As vm_open_memory(), without a VM. */
static int open_region(void *data, uint64_t size)
{
	opened++;
	if (open_result == 0)
		g.mem.regions[1].size = size;
	return open_result;
}

static const struct virtio_mem_space space = {
	.gpa = BASE, .size = SIZE, .granule = 4 * MIB, .open = open_region};

static void setup(void)
{
	guest_init(&g, RAM_SIZE);
	region = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(region, MAP_FAILED);
	g.mem.regions[g.mem.n_regions++] =
		(struct memory_region){.gpa = BASE, .host = region, .reserved = SIZE};
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_mem_create(&space, &dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, q, 0), 0);
	buffers = guest_alloc(&g, 4096);
}

static void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	munmap(region, SIZE);
	guest_finish(&g);
}

TestSuite(virtio_mem, .init = setup, .fini = teardown);

static struct virtio_mem_config config(void)
{
	struct virtio_mem_config ret;

	dev->ops->config_read(dev, 0, &ret, sizeof(ret));
	return ret;
}

static void put_request(uint16_t type, uint64_t addr, uint16_t n)
{
	const struct virtio_mem_req req = {.type = type, .u.plug = {.addr = addr, .nb_blocks = n}};

	memcpy(guest_at(&g, buffers), &req, sizeof(req));
}

/* The answer's type; state gets what else is in it. */
static uint16_t ask_state(uint16_t type, uint64_t addr, uint16_t n, uint16_t *state)
{
	struct driver_segment segs[] = {{buffers, sizeof(struct virtio_mem_req), false},
					{buffers + 64, sizeof(struct virtio_mem_resp), true}};
	struct virtio_mem_resp resp;
	uint32_t head, len;

	put_request(type, addr, n);
	memset(guest_at(&g, buffers + 64), 0xee, 64);
	driver_add(&q[0], segs, 2);
	virtio_kick(dev, 0);
	cr_assert(driver_get(&q[0], &head, &len));
	cr_assert_eq(len, sizeof(resp));
	memcpy(&resp, guest_at(&g, buffers + 64), sizeof(resp));
	if (state)
		*state = resp.u.state.state;
	return resp.type;
}

static uint16_t ask(uint16_t type, uint64_t addr, uint16_t n)
{
	return ask_state(type, addr, n, NULL);
}

static uint16_t state(uint64_t addr, uint16_t n)
{
	uint16_t ret;

	cr_assert_eq(ask_state(VIRTIO_MEM_REQ_STATE, addr, n, &ret), VIRTIO_MEM_RESP_ACK);
	return ret;
}

#define PLUG       VIRTIO_MEM_REQ_PLUG
#define UNPLUG     VIRTIO_MEM_REQ_UNPLUG
#define UNPLUG_ALL VIRTIO_MEM_REQ_UNPLUG_ALL
#define STATE      VIRTIO_MEM_REQ_STATE
#define ACK        VIRTIO_MEM_RESP_ACK
#define NACK       VIRTIO_MEM_RESP_NACK
#define ERROR      VIRTIO_MEM_RESP_ERROR

Test(virtio_mem, tells_where_it_is_and_at_first_has_nothing)
{
	const struct virtio_mem_config c = config();

	cr_expect_eq(c.block_size, BLOCK);
	cr_expect_eq(c.addr, BASE);
	cr_expect_eq(c.region_size, SIZE);
	cr_expect_eq(c.usable_region_size, 0);
	cr_expect_eq(c.plugged_size, 0);
	cr_expect_eq(c.requested_size, 0);
	cr_expect_null(memory_at(&g.mem, BASE, 1));
	cr_expect_eq(ask(PLUG, BASE, 1), ERROR);
	cr_expect_eq(ask(UNPLUG_ALL, 0, 0), ACK);
}

Test(virtio_mem, what_is_requested_can_be_plugged)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_expect_eq(transport.config, 1);
	cr_expect_eq(config().requested_size, 8 * MIB);
	cr_expect_eq(config().usable_region_size, 8 * MIB);
	cr_expect_eq(ask(PLUG, BASE, 3), ACK);
	cr_expect_eq(config().plugged_size, 3 * BLOCK);
	cr_expect_eq(transport.config, 1, "it is the driver who plugged");
	cr_expect_not_null(memory_at(&g.mem, BASE + 8 * MIB - 1, 1));
	cr_expect_null(memory_at(&g.mem, BASE + 8 * MIB - 1, 2), "the rest is not there");
	cr_expect_eq(ask(PLUG, BASE + 3 * BLOCK, 1), ACK);
	cr_expect_eq(config().plugged_size, 8 * MIB);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_mem, more_than_requested_is_not_plugged)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_assert_eq(virtio_mem_request(dev, 4 * MIB), 0);
	cr_expect_eq(config().usable_region_size, 8 * MIB, "what is open stays open");
	cr_expect_eq(ask(PLUG, BASE, 3), NACK);
	cr_expect_eq(state(BASE, 3), VIRTIO_MEM_STATE_UNPLUGGED);
	cr_expect_eq(ask(PLUG, BASE + 2 * BLOCK, 2), ACK);
	cr_expect_eq(ask(PLUG, BASE, 1), NACK);
	cr_assert_eq(virtio_mem_request(dev, 0), 0);
	cr_expect_eq(ask(PLUG, BASE, 1), NACK, "there is more than is requested");
	cr_expect_eq(config().plugged_size, 4 * MIB);
}

Test(virtio_mem, a_range_is_of_blocks_that_are_open)
{
	static const struct {
		uint64_t addr;
		uint16_t n;
	} bad[] = {
		{BASE, 0},
		{BASE, 5},
		{BASE, UINT16_MAX},
		{BASE + 4 * BLOCK, 1},
		{BASE + 3 * BLOCK, 2},
		{BASE + SIZE, 1},
		{BASE + 4096, 1},
		{BASE - BLOCK, 1},
		{BASE - BLOCK, 2},
		{0, 1},
		{UINT64_MAX - BLOCK + 1, 1},
		{UINT64_MAX - BLOCK + 1, UINT16_MAX},
		{UINT64_MAX, 1},
	};

	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (uint16_t type = PLUG; type <= STATE; type++)
			if (type != UNPLUG_ALL)
				cr_expect_eq(ask(type, bad[i].addr, bad[i].n), ERROR,
					     "%zu, type %u", i, type);
	cr_expect_eq(config().plugged_size, 0);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_mem, a_block_is_plugged_once_and_unplugged_once)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_expect_eq(ask(UNPLUG, BASE, 1), ERROR);
	cr_expect_eq(ask(PLUG, BASE + BLOCK, 1), ACK);
	cr_expect_eq(ask(PLUG, BASE, 2), ERROR, "the second is there");
	cr_expect_eq(ask(UNPLUG, BASE, 2), ERROR, "the first is not");
	cr_expect_eq(config().plugged_size, BLOCK);
	cr_expect_eq(state(BASE, 1), VIRTIO_MEM_STATE_UNPLUGGED);
	cr_expect_eq(state(BASE + BLOCK, 1), VIRTIO_MEM_STATE_PLUGGED);
	cr_expect_eq(state(BASE, 4), VIRTIO_MEM_STATE_MIXED);
	cr_expect_eq(ask(UNPLUG, BASE + BLOCK, 1), ACK);
	cr_expect_eq(config().plugged_size, 0);
	cr_expect_eq(state(BASE, 4), VIRTIO_MEM_STATE_UNPLUGGED);
}

Test(virtio_mem, what_is_unplugged_goes_back_to_the_host)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_assert_eq(ask(PLUG, BASE, 4), ACK);
	memset(region, 0xaa, 8 * MIB);
	cr_expect_eq(ask(UNPLUG, BASE + BLOCK, 2), ACK);
	cr_expect_eq(region[BLOCK - 1], 0xaa);
	cr_expect_eq(region[BLOCK], 0);
	cr_expect_eq(region[3 * BLOCK - 1], 0);
	cr_expect_eq(region[3 * BLOCK], 0xaa);
	cr_expect_eq(ask(UNPLUG_ALL, 0, 0), ACK);
	cr_expect_eq(region[0], 0);
	cr_expect_eq(region[8 * MIB - 1], 0);
	cr_expect_eq(config().plugged_size, 0);
	cr_expect_eq(ask(PLUG, BASE, 4), ACK);
}

Test(virtio_mem, the_owner_gets_no_more_than_the_region_has)
{
	cr_expect_eq(virtio_mem_round(dev, 0), 0);
	cr_expect_eq(virtio_mem_round(dev, 1), 4 * MIB);
	cr_expect_eq(virtio_mem_round(dev, 4 * MIB), 4 * MIB);
	cr_expect_eq(virtio_mem_round(dev, SIZE + 1), SIZE);
	cr_expect_eq(virtio_mem_round(dev, UINT64_MAX), SIZE);
	cr_expect_eq(virtio_mem_request(dev, SIZE + 4 * MIB), -EINVAL);
	cr_expect_eq(virtio_mem_request(dev, 2 * MIB), -EINVAL);
	cr_expect_eq(opened, 0);
	open_result = -ENOMEM;
	cr_expect_eq(virtio_mem_request(dev, 4 * MIB), -ENOMEM);
	cr_expect_eq(config().requested_size, 0);
	cr_expect_eq(config().usable_region_size, 0);
	open_result = 0;
	cr_expect_eq(virtio_mem_request(dev, SIZE), 0);
	cr_expect_eq(ask(PLUG, BASE, 8), ACK);
}

Test(virtio_mem, a_reset_leaves_the_memory_alone)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_assert_eq(ask(PLUG, BASE, 2), ACK);
	region[7] = 7;
	virtio_reset(dev);
	cr_assert_eq(fake_transport_start(dev, &g, q, 0), 0);
	cr_expect_eq(config().plugged_size, 2 * BLOCK);
	cr_expect_eq(region[7], 7);
	cr_expect_eq(ask(PLUG, BASE, 1), ERROR);
}

Test(virtio_mem, an_unknown_request_is_an_error)
{
	cr_assert_eq(virtio_mem_request(dev, 8 * MIB), 0);
	cr_expect_eq(ask(4, BASE, 1), ERROR);
	cr_expect_eq(ask(UINT16_MAX, BASE, 1), ERROR);
	cr_expect_eq(transport.resets, 0);
}

/* Its own request lies in the memory that it gives up. */
Test(virtio_mem, a_request_may_lie_where_it_unplugs)
{
	struct driver_segment segs[] = {{BASE, sizeof(struct virtio_mem_req), false},
					{BASE + 64, sizeof(struct virtio_mem_resp), true}};

	cr_assert_eq(virtio_mem_request(dev, 4 * MIB), 0);
	cr_assert_eq(ask(PLUG, BASE, 1), ACK);
	put_request(UNPLUG, BASE, 1);
	memcpy(region, guest_at(&g, buffers), sizeof(struct virtio_mem_req));
	memset(region + 64, 0xee, 64);
	driver_add(&q[0], segs, 2);
	virtio_kick(dev, 0);
	cr_expect_eq(config().plugged_size, 0);
	cr_expect_eq(region[64] | region[65] << 8, ACK);
	cr_expect_eq(region[2], 0);
	cr_expect_eq(region[64 + sizeof(struct virtio_mem_resp)], 0, "nothing else is left");
}

Test(virtio_mem, a_turn_serves_few_and_the_next_goes_on)
{
	struct driver_segment segs[] = {{buffers, sizeof(struct virtio_mem_req), false},
					{buffers + 64, sizeof(struct virtio_mem_resp), true}};

	put_request(STATE, BASE, 1);
	for (unsigned i = 0; i < 7; i++)
		driver_add(&q[0], segs, 2);
	virtio_kick(dev, 0);
	cr_expect_lt(driver_used_count(&q[0]), 7);
	for (unsigned i = 0; i < 7; i++)
		loop_turn(loop, 0);
	cr_expect_eq(driver_used_count(&q[0]), 7);
}

/* Each breaks the device, which then serves nothing. */
#define REFUSES(...)                                                                               \
	do {                                                                                       \
		struct driver_segment segs[] = {__VA_ARGS__};                                      \
                                                                                                   \
		cr_assert_eq(virtio_mem_request(dev, 4 * MIB), 0);                                 \
		put_request(PLUG, BASE, 1);                                                        \
		driver_add(&q[0], segs, sizeof(segs) / sizeof(segs[0]));                           \
		virtio_kick(dev, 0);                                                               \
		cr_expect_eq(transport.resets, 1);                                                 \
		cr_expect_eq(config().plugged_size, 0);                                            \
	} while (0)

Test(virtio_mem, a_request_is_whole)
{
	REFUSES({buffers, 23, false}, {buffers + 64, 10, true});
}

Test(virtio_mem, a_request_is_not_longer)
{
	REFUSES({buffers, 32, false}, {buffers + 64, 10, true});
}

Test(virtio_mem, there_is_room_for_the_answer)
{
	REFUSES({buffers, 24, false}, {buffers + 64, 9, true});
}

Test(virtio_mem, the_answer_is_for_memory)
{
	REFUSES({buffers, 24, false}, {BASE + 4 * MIB, 10, true});
}

Test(virtio_mem, pieces_are_as_large_as_the_kernel_s)
{
	cr_expect_eq(virtio_mem_granule(256 * MIB), 128 * MIB);
	cr_expect_eq(virtio_mem_granule(64 * 1024 * MIB), 2048 * MIB);
}
