/* SPDX-License-Identifier: Apache-2.0 */
/* The device apart from its frames: control, configuration, what it is attached to. */
#include <errno.h>
#include <fcntl.h>

#include "tests/unit/vmm/net_guest.h"

TestSuite(virtio_net, .init = setup, .fini = teardown);
TestSuite(virtio_net_alone, .fini = teardown);

static uint8_t command(unsigned queue, uint8_t class, uint8_t cmd, uint16_t pairs, uint32_t len)
{
	struct driver_segment segs[] = {{data, len, false}, {data + 64, 1, true}};
	const uint8_t bytes[] = {class, cmd, (uint8_t)pairs, (uint8_t)(pairs >> 8)};

	memcpy(guest_at(&g, data), bytes, sizeof(bytes));
	*(uint8_t *)guest_at(&g, data + 64) = 0xee;
	driver_add(&q[queue], segs, 2);
	virtio_kick(dev, queue);
	return *(uint8_t *)guest_at(&g, data + 64);
}

Test(virtio_net_alone, the_driver_chooses_its_pairs)
{
	start(4, 0);
	cr_assert_eq(dev->ops->n_queues, 9);
	cr_expect_eq(fake.pairs, 1);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_MQ, 0, 4, 4), VIRTIO_NET_OK);
	cr_expect_eq(fake.pairs, 4);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_MQ, 0, 5, 4), VIRTIO_NET_ERR);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_MQ, 0, 0, 4), VIRTIO_NET_ERR);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_MQ, 0, 1, 3), VIRTIO_NET_ERR);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_MQ, 1, 1, 4), VIRTIO_NET_ERR);
	cr_expect_eq(command(8, VIRTIO_NET_CTRL_RX, 0, 1, 3), VIRTIO_NET_ERR);
	cr_expect_eq(fake.pairs, 4);
	virtio_reset(dev);
	cr_expect_eq(fake.pairs, 1);
	cr_expect_eq(fake.features, 0);
}

Test(virtio_net_alone, a_turn_obeys_few_commands_and_the_next_goes_on)
{
	start(4, 0);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t at = data + 128 * i;
		struct driver_segment segs[] = {{at, 4, false}, {at + 64, 1, true}};
		const uint8_t bytes[] = {VIRTIO_NET_CTRL_MQ, 0, 2, 0};

		memcpy(guest_at(&g, at), bytes, sizeof(bytes));
		driver_add(&q[8], segs, 2);
	}
	virtio_kick(dev, 8);
	cr_expect_lt(driver_used_count(&q[8]), 40);
	for (int i = 0; i < 10; i++)
		loop_turn(loop, 0);
	cr_expect_eq(driver_used_count(&q[8]), 40);
}

Test(virtio_net_alone, without_mq_the_control_queue_is_the_third)
{
	start(2, 1ull << VIRTIO_NET_F_MQ);
	cr_expect_eq(command(2, VIRTIO_NET_CTRL_MQ, 0, 1, 4), VIRTIO_NET_ERR);
	cr_expect_eq(driver_used_count(&q[2]), 1);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_net, a_command_without_room_for_its_answer_breaks_the_device)
{
	struct driver_segment seg = {data, 4, false};

	driver_add(&q[2], &seg, 1);
	virtio_kick(dev, 2);
	cr_expect_eq(transport.resets, 1);
}

Test(virtio_net, the_configuration_shows_address_and_link)
{
	const uint8_t mac[] = NET_SLOT_MAC(0);
	struct virtio_net_config config;

	dev->ops->config_read(dev, 0, &config, dev->ops->config_size);
	cr_expect_eq(memcmp(config.mac, mac, 6), 0);
	cr_expect_eq(config.status, VIRTIO_NET_S_LINK_UP);
	cr_expect_eq(config.max_virtqueue_pairs, 1);
	cr_expect_eq(virtio_net_detach(dev, NULL), 0);
	cr_expect_eq(fake.destroyed, 1);
	dev->ops->config_read(dev, 0, &config, dev->ops->config_size);
	cr_expect_eq(config.status, 0);
	cr_expect_eq(virtio_net_detach(dev, NULL), -ENOENT);
}

Test(virtio_net, what_is_no_network_is_refused)
{
	struct err err = ERR_INIT;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_expect_eq(virtio_net_attach_tap(dev, &fd, 1, 1500, &err), -EBUSY);
	cr_expect_lt(fcntl(fd, F_GETFD), 0, "taken over");
	virtio_net_detach(dev, NULL);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cr_expect_eq(virtio_net_attach_tap(dev, &fd, 1, 1500, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "net: the descriptor is not a tap: Invalid argument");
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cr_expect_eq(virtio_net_attach_stream(dev, fd, 1500, &err), -EINVAL);
	cr_expect_eq(virtio_net_attach_tap(dev, NULL, 0, 1500, &err), -EINVAL);
}
