/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that notes what its transport asks of it, and a driver that writes the register file as a
 * vCPU would: from any thread. The state is the including file's own.
 */
#ifndef TESTS_MMIO_GUEST_H
#define TESTS_MMIO_GUEST_H

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/virtio_mmio.h"
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

static inline void note_thread(void)
{
	if (!pthread_equal(pthread_self(), loop_thread))
		on_wrong_thread = true;
}

static inline int on_activate(struct virtio_device *d)
{
	note_thread();
	activated++;
	return activate_result;
}

static inline void on_reset(struct virtio_device *d)
{
	note_thread();
	resets++;
}

static inline void on_kick(struct virtio_device *d, unsigned queue)
{
	note_thread();
	kicks[queue]++;
}

static inline void on_config_read(struct virtio_device *d, size_t offset, void *buf, size_t len)
{
	memcpy(buf, config + offset, len);
}

static inline void on_config_write(struct virtio_device *d, size_t offset, const void *buf,
				   size_t len)
{
	note_thread();
	memcpy(config + offset, buf, len);
}

static inline void on_destroy(struct virtio_device *d)
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

static unsigned raised;

static inline void on_raise(void *data, unsigned line)
{
	__atomic_add_fetch(&raised, 1, __ATOMIC_SEQ_CST);
}

static inline void setup(void)
{
	static const struct irq irq = {.raise = on_raise};

	loop_thread = pthread_self();
	guest_init(&g, 1 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	virtio_init(&dev, &ops, "test");
	cr_assert_eq(virtio_mmio_new(loop, &g.mem, &irq, &dev, &mmio), 0);
	for (unsigned i = 0; i < QUEUES; i++)
		driver_queue_init(&q[i], &g, &rings[i], 64);
}

static inline void teardown(void)
{
	virtio_mmio_destroy(mmio);
	cr_expect_eq(destroyed, 1);
	cr_expect_not(on_wrong_thread);
	loop_destroy(loop);
	guest_finish(&g);
}

static inline uint32_t get(uint64_t offset)
{
	uint32_t v;

	virtio_mmio_bus_ops.read(mmio, offset, &v, sizeof(v));
	return v;
}

static inline void put(uint64_t offset, uint32_t v)
{
	virtio_mmio_bus_ops.write(mmio, offset, &v, sizeof(v));
}

/* Runs fn as a vCPU thread while this one turns the loop. */
static inline void as_vcpu(void *(*fn)(void *))
{
	atomic_bool done = false;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, fn, &done), 0);
	while (!atomic_load(&done))
		loop_turn(loop, 5);
	pthread_join(thread, NULL);
}

static inline void *vcpu_end(void *done)
{
	atomic_store((atomic_bool *)done, true);
	return NULL;
}

static inline void negotiate(uint64_t features)
{
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	put(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_FEATURES_OK);
}

static inline void set_up_queue(unsigned i)
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

static inline void driver_ok(void)
{
	put(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK);
}

static inline void *boot(void *done)
{
	negotiate(dev.features);
	for (unsigned i = 0; i < QUEUES; i++)
		set_up_queue(i);
	driver_ok();
	return vcpu_end(done);
}

static inline unsigned interrupts(void)
{
	return __atomic_exchange_n(&raised, 0, __ATOMIC_SEQ_CST);
}

#endif
