/* SPDX-License-Identifier: Apache-2.0 */
/* The register file: what it shows, and a driver's way to a live device, right and wrong. */
#include "tests/unit/vmm/mmio_guest.h"

TestSuite(virtio_mmio_regs, .init = setup, .fini = teardown);

/* --- reading ------------------------------------------------------------------------------- */

Test(virtio_mmio_regs, identifies_itself)
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

Test(virtio_mmio_regs, odd_accesses_read_zero_and_write_nothing)
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

Test(virtio_mmio_regs, configuration_is_read_in_any_width_and_no_further)
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

Test(virtio_mmio_regs, features_that_were_not_offered_are_not_ok)
{
	negotiate(dev.features | 1ull << 7);
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
	driver_ok();
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK);
	cr_expect_eq(activated, 0);
}

Test(virtio_mmio_regs, a_legacy_driver_is_not_ok)
{
	negotiate(dev.features & ~(1ull << VIRTIO_F_VERSION_1));
	cr_expect_not(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
}

Test(virtio_mmio_regs, driver_ok_activates_on_the_loop)
{
	as_vcpu(boot);
	cr_expect_eq(activated, 1);
	cr_expect(dev.active);
	cr_expect_eq(dev.driver_features, dev.features);
	cr_expect(dev.queues[0].ready && dev.queues[1].ready);
	cr_expect_eq(dev.queues[1].avail, guest_at(&g, rings[1].avail_gpa));
	cr_expect_eq(kicks[0], 1); /* for what was queued before */
}

Test(virtio_mmio_regs, a_live_queue_is_frozen)
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

Test(virtio_mmio_regs, a_ring_outside_memory_needs_a_reset)
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

Test(virtio_mmio_regs, absurd_queue_sizes_need_a_reset)
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

Test(virtio_mmio_regs, a_device_that_cannot_activate_needs_a_reset)
{
	activate_result = -ENOMEM;
	as_vcpu(boot);
	cr_expect(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	cr_expect_not(dev.active);
}
