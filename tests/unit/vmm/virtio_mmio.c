/* SPDX-License-Identifier: Apache-2.0 */
/* The register file, written as a driver does it, from a thread of its own as a vCPU would. */
#include "vmm/virtio_mmio.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/virtio_mmio_internal.h"

#define QUEUES 2

static struct guest g;
static struct loop *loop;
static struct virtio_device dev;
static struct virtio_mmio *mmio;
static struct driver_queue q[QUEUES];
static struct virtq rings[QUEUES]; /* where q's rings lie */
static unsigned activated, resets, kicks[QUEUES], destroyed;
static int activate_result;
static uint8_t config[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static pthread_t loop_thread;
static bool on_wrong_thread;

static void note_thread(void)
{
	if (!pthread_equal(pthread_self(), loop_thread))
		on_wrong_thread = true;
}

static int on_activate(struct virtio_device *d)
{
	note_thread();
	activated++;
	return activate_result;
}

static void on_reset(struct virtio_device *d)
{
	note_thread();
	resets++;
}

static void on_kick(struct virtio_device *d, unsigned queue)
{
	note_thread();
	kicks[queue]++;
}

static void on_config_read(struct virtio_device *d, size_t offset, void *buf, size_t len)
{
	memcpy(buf, config + offset, len);
}

static void on_config_write(struct virtio_device *d, size_t offset, const void *buf, size_t len)
{
	note_thread();
	memcpy(config + offset, buf, len);
}

static void on_destroy(struct virtio_device *d)
{
	destroyed++;
}

static const struct virtio_ops ops = {
	.name = "test",
	.id = VIRTIO_ID_RNG,
	.features = 1ull << 3 | 1ull << 40,
	.n_queues = QUEUES,
	.queue_size = 64,
	.config_size = sizeof(config),
	.config_read = on_config_read,
	.config_write = on_config_write,
	.activate = on_activate,
	.reset = on_reset,
	.kick = on_kick,
	.destroy = on_destroy,
};

static void setup(void)
{
	loop_thread = pthread_self();
	guest_init(&g, 1 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	virtio_init(&dev, &ops, "test");
	cr_assert_eq(virtio_mmio_new(loop, &g.mem, &dev, &mmio), 0);
	for (unsigned i = 0; i < QUEUES; i++)
		driver_queue_init(&q[i], &g, &rings[i], 64);
}

static void teardown(void)
{
	virtio_mmio_destroy(mmio);
	cr_expect_eq(destroyed, 1);
	cr_expect_not(on_wrong_thread);
	loop_destroy(loop);
	guest_finish(&g);
}

TestSuite(virtio_mmio, .init = setup, .fini = teardown);

static uint32_t get(uint64_t offset)
{
	uint32_t v;

	virtio_mmio_bus_ops.read(mmio, offset, &v, sizeof(v));
	return v;
}

static void put(uint64_t offset, uint32_t v)
{
	virtio_mmio_bus_ops.write(mmio, offset, &v, sizeof(v));
}

/* Runs fn as a vCPU thread while this one turns the loop. */
static void as_vcpu(void *(*fn)(void *))
{
	atomic_bool done = false;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, &done), 0);
	while (!atomic_load(&done))
		loop_turn(loop, 5);
	pthread_join(thread, NULL);
}

static void *vcpu_end(void *done)
{
	atomic_store((atomic_bool *)done, true);
	return NULL;
}

static void negotiate(uint64_t features)
{
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	put(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_FEATURES_OK);
}

static void set_up_queue(unsigned i)
{
	put(VIRTIO_MMIO_QUEUE_SEL, i);
	put(VIRTIO_MMIO_QUEUE_NUM, 64);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)rings[i].desc_gpa);
	put(VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(rings[i].desc_gpa >> 32));
	put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)rings[i].avail_gpa);
	put(VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(rings[i].avail_gpa >> 32));
	put(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)rings[i].used_gpa);
	put(VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(rings[i].used_gpa >> 32));
	put(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void driver_ok(void)
{
	put(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void *boot(void *done)
{
	negotiate(dev.features);
	for (unsigned i = 0; i < QUEUES; i++)
		set_up_queue(i);
	driver_ok();
	return vcpu_end(done);
}

static unsigned interrupts(void)
{
	uint64_t n;

	return read(mmio->irq_fd, &n, sizeof(n)) < 0 ? 0 : (unsigned)n;
}

/* --- reading ------------------------------------------------------------------------------- */

Test(virtio_mmio, identifies_itself)
{
	cr_expect_eq(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	cr_expect_eq(get(VIRTIO_MMIO_VERSION), 2);
	cr_expect_eq(get(VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	cr_expect_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	cr_expect_eq(get(VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	put(VIRTIO_MMIO_QUEUE_SEL, QUEUES);
	cr_expect_eq(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	cr_expect_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 1u << 8 | 1u);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	cr_expect_eq(get(VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

Test(virtio_mmio, odd_accesses_read_zero_and_write_nothing)
{
	uint8_t buf[8];
	uint64_t wide = ~0ull;

	for (unsigned offset = 0; offset < VIRTIO_MMIO_SIZE - 8; offset++) {
		for (unsigned len = 1; len <= 8; len *= 2) {
			if (len == 4 && offset == VIRTIO_MMIO_STATUS)
				continue;
			virtio_mmio_bus_ops.read(mmio, offset, buf, len);
			if (offset < VIRTIO_MMIO_CONFIG)
				virtio_mmio_bus_ops.write(mmio, offset, &wide, len);
		}
	}
	virtio_mmio_bus_ops.read(mmio, VIRTIO_MMIO_MAGIC_VALUE, buf, 2);
	cr_expect_arr_eq(buf, "\0\0", 2);
	cr_expect_eq(activated, 0);
}

Test(virtio_mmio, configuration_is_read_in_any_width_and_no_further)
{
	uint8_t buf[8] = {0};

	virtio_mmio_bus_ops.read(mmio, VIRTIO_MMIO_CONFIG + 3, buf, 2);
	cr_expect_arr_eq(buf, "\4\5", 2);
	virtio_mmio_bus_ops.read(mmio, VIRTIO_MMIO_CONFIG, buf, 8);
	cr_expect_arr_eq(buf, config, 8);
	virtio_mmio_bus_ops.read(mmio, VIRTIO_MMIO_CONFIG + 7, buf, 2);
	cr_expect_arr_eq(buf, "\0\0", 2);
}

/* --- negotiation --------------------------------------------------------------------------- */

Test(virtio_mmio, features_that_were_not_offered_are_not_ok)
{
	negotiate(dev.features | 1ull << 7);
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
	driver_ok();
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK);
	cr_expect_eq(activated, 0);
}

Test(virtio_mmio, a_legacy_driver_is_not_ok)
{
	negotiate(dev.features & ~(1ull << VIRTIO_F_VERSION_1));
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
}

Test(virtio_mmio, driver_ok_activates_on_the_loop)
{
	as_vcpu(boot);
	cr_expect_eq(activated, 1);
	cr_expect(dev.active);
	cr_expect_eq(dev.driver_features, dev.features);
	cr_expect(dev.queues[0].ready && dev.queues[1].ready);
	cr_expect_eq(dev.queues[1].avail, guest_at(&g, rings[1].avail_gpa));
	cr_expect_eq(kicks[0], 1); /* for what was queued before */
}

Test(virtio_mmio, a_live_queue_is_frozen)
{
	as_vcpu(boot);
	put(VIRTIO_MMIO_QUEUE_SEL, 0);
	put(VIRTIO_MMIO_QUEUE_NUM, 8);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	cr_expect_eq(dev.queues[0].size, 64);
	cr_expect_eq(mmio->queues[0].num, 64);
	put(VIRTIO_MMIO_QUEUE_READY, 0);
	cr_expect_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	cr_expect_not(dev.queues[0].ready);
	put(VIRTIO_MMIO_QUEUE_READY, 1); /* not before a reset */
	cr_expect_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
}

static void *boot_with_bad_ring(void *done)
{
	negotiate(dev.features);
	rings[1].used_gpa = 0;
	set_up_queue(1);
	driver_ok();
	return vcpu_end(done);
}

Test(virtio_mmio, a_ring_outside_memory_needs_a_reset)
{
	as_vcpu(boot_with_bad_ring);
	cr_expect_eq(activated, 0);
	cr_expect(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	cr_expect(get(VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	put(VIRTIO_MMIO_STATUS, 0);
	cr_expect_eq(get(VIRTIO_MMIO_STATUS), 0);
	rings[1].used_gpa = guest_alloc(&g, 1024);
	as_vcpu(boot);
	cr_expect(dev.active);
}

Test(virtio_mmio, absurd_queue_sizes_need_a_reset)
{
	static const uint32_t sizes[] = {0, 3, 65, 128, 0x10040, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		negotiate(dev.features);
		set_up_queue(0);
		put(VIRTIO_MMIO_QUEUE_READY, 0);
		put(VIRTIO_MMIO_QUEUE_NUM, sizes[i]);
		put(VIRTIO_MMIO_QUEUE_READY, 1);
		driver_ok();
		cr_expect(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, "%zu", i);
		put(VIRTIO_MMIO_STATUS, 0);
	}
	cr_expect_eq(activated, 0);
}

Test(virtio_mmio, a_device_that_cannot_activate_needs_a_reset)
{
	activate_result = -ENOMEM;
	as_vcpu(boot);
	cr_expect(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	cr_expect_not(dev.active);
}

/* --- doorbells, interrupts, resets --------------------------------------------------------- */

Test(virtio_mmio, a_doorbell_kicks_its_queue)
{
	as_vcpu(boot);
	kicks[0] = kicks[1] = 0;
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 99);
	loop_turn(loop, 0);
	cr_expect_eq(kicks[0], 0);
	cr_expect_eq(kicks[1], 1);
	/* The counter is never read down: the next ring is heard all the same. */
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	loop_turn(loop, 0);
	cr_expect_eq(kicks[1], 2);
	loop_turn(loop, 0);
	cr_expect_eq(kicks[1], 2);
}

Test(virtio_mmio, interrupts_tell_their_cause_until_it_is_acknowledged)
{
	as_vcpu(boot);
	interrupts();
	virtq_push(&dev.queues[0], 0, 0);
	virtio_notify_used(&dev, 0);
	cr_expect_eq(interrupts(), 1);
	cr_expect_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	put(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	cr_expect_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

Test(virtio_mmio, a_new_configuration_has_a_new_generation)
{
	uint32_t before = get(VIRTIO_MMIO_CONFIG_GENERATION);

	config[0] = 99;
	cr_expect_eq(get(VIRTIO_MMIO_CONFIG) & 0xff, 1); /* a copy */
	virtio_notify_config(&dev);
	cr_expect_eq(get(VIRTIO_MMIO_CONFIG) & 0xff, 99);
	cr_expect_neq(get(VIRTIO_MMIO_CONFIG_GENERATION), before);
	cr_expect_eq(interrupts(), 0); /* no driver is there yet */
	as_vcpu(boot);
	interrupts();
	virtio_notify_config(&dev);
	cr_expect_eq(interrupts(), 1);
	cr_expect_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
}

static void *write_config(void *done)
{
	uint16_t v = 0x4242;

	virtio_mmio_bus_ops.write(mmio, VIRTIO_MMIO_CONFIG + 4, &v, 2);
	virtio_mmio_bus_ops.write(mmio, VIRTIO_MMIO_CONFIG + 7, &v, 2); /* half outside */
	return vcpu_end(done);
}

Test(virtio_mmio, a_configuration_write_reaches_the_device)
{
	as_vcpu(write_config);
	cr_expect_arr_eq(config, "\1\2\3\4\x42\x42\7\10", 8);
	cr_expect_eq(get(VIRTIO_MMIO_CONFIG + 4) & 0xffff, 0x4242);
}

static void *reset_twice(void *done)
{
	put(VIRTIO_MMIO_STATUS, 0);
	put(VIRTIO_MMIO_STATUS, 0);
	return vcpu_end(done);
}

Test(virtio_mmio, a_reset_forgets_everything)
{
	as_vcpu(boot);
	virtio_notify_config(&dev);
	as_vcpu(reset_twice);
	cr_expect_eq(resets, 1);
	cr_expect_eq(get(VIRTIO_MMIO_STATUS), 0);
	cr_expect_eq(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	cr_expect_eq(get(VIRTIO_MMIO_QUEUE_READY), 0);
	cr_expect_not(dev.active);
	cr_expect_eq(dev.queues[0].desc_gpa, 0);
	kicks[0] = 0;
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	loop_turn(loop, 0);
	cr_expect_eq(kicks[0], 0);
	as_vcpu(boot);
	cr_expect_eq(activated, 2);
}

Test(virtio_mmio, a_device_that_failed_serves_nothing)
{
	as_vcpu(boot);
	interrupts();
	virtio_fail(&dev, "a test");
	virtio_fail(&dev, "a test again");
	cr_expect_eq(interrupts(), 1);
	kicks[0] = 0;
	put(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	loop_turn(loop, 0);
	cr_expect_eq(kicks[0], 0);
}

/* --- several vCPUs at once ----------------------------------------------------------------- */

static atomic_uint vcpus_running;

static void *wild_vcpu(void *data)
{
	uint64_t state = (uintptr_t)data * 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 3000; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		switch (state >> 60) {
		case 0:
			put(VIRTIO_MMIO_STATUS, 0);
			break;
		case 1:
		case 2:
			negotiate(dev.ops->features | VIRTIO_COMMON_FEATURES);
			set_up_queue(state >> 40 & 1);
			driver_ok();
			break;
		case 3:
			put(VIRTIO_MMIO_QUEUE_SEL, state >> 40 & 3);
			put(VIRTIO_MMIO_QUEUE_READY, 0);
			break;
		case 4:
			put(VIRTIO_MMIO_CONFIG, (uint32_t)state);
			break;
		default:
			put((state >> 32) % 0x40 * 4, (uint32_t)(state >> 20) % 300);
			get((state >> 40) % 0x50 * 4);
		}
	}
	atomic_fetch_sub(&vcpus_running, 1);
	return NULL;
}

Test(virtio_mmio, vcpus_that_fight_over_the_registers_neither_hang_nor_break_it)
{
	pthread_t threads[4];

	atomic_store(&vcpus_running, 4);
	for (uintptr_t i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, wild_vcpu, (void *)(i + 1)), 0);
	while (atomic_load(&vcpus_running))
		loop_turn(loop, 5);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	cr_expect_gt(activated, 0);
	put(VIRTIO_MMIO_STATUS, 0);
	activate_result = 0;
	as_vcpu(boot);
	cr_expect(dev.active && !dev.failed);
}
