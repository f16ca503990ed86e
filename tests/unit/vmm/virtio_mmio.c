/* SPDX-License-Identifier: Apache-2.0 */
/* A live device behind its registers: doorbells, interrupts, resets, several vCPUs at once. */
#include <unistd.h>

#include "tests/unit/vmm/mmio_guest.h"

TestSuite(virtio_mmio, .init = setup, .fini = teardown);

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

Test(virtio_mmio, what_the_driver_changed_itself_it_is_not_told)
{
	uint32_t before;

	as_vcpu(boot);
	interrupts();
	before = get(VIRTIO_MMIO_CONFIG_GENERATION);
	config[0] = 99;
	virtio_renew_config(&dev);
	cr_expect_eq(get(VIRTIO_MMIO_CONFIG) & 0xff, 99);
	cr_expect_neq(get(VIRTIO_MMIO_CONFIG_GENERATION), before);
	cr_expect_eq(interrupts(), 0);
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
