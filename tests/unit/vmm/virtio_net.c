/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio_net.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/iov.h"
#include "vmm/virtio_net_internal.h"

static struct guest g;
static struct loop *loop;
static struct virtio_device *dev;
static struct net *net;
static struct fake_transport transport;
static struct driver_queue q[VIRTIO_MAX_QUEUES];
static uint64_t data;

/* --- a backend that keeps what it is given -------------------------------------------------- */

static struct fake {
	struct net_backend backend;
	unsigned sent, configured, destroyed, pairs;
	uint64_t features;
	uint8_t last[70000];
	size_t last_size;
	int send_result;
	size_t packets[256]; /* frame lengths to be received, 0: none left */
	unsigned at;
	int ended;
} fake;

static int fake_send(struct net_backend *backend, unsigned pair, struct iovec *iov, unsigned n)
{
	if (fake.send_result < 0)
		return fake.send_result;
	fake.sent++;
	fake.last_size = iov_copy_out(iov, n, 0, fake.last, sizeof(fake.last));
	return 0;
}

static ssize_t fake_receive(struct net_backend *backend, unsigned pair, const struct iovec *iov,
			    unsigned n)
{
	size_t size = fake.packets[fake.at];
	static uint8_t packet[70000];

	if (fake.ended)
		return -EBADFD;
	if (!size)
		return 0;
	memset(packet, 0, NET_HEADER);
	memset(packet + NET_HEADER, (int)(0x10 + fake.at), size);
	fake.at++;
	iov_copy_in(iov, n, 0, packet, NET_HEADER + size);
	return (ssize_t)(NET_HEADER + size);
}

static void fake_configure(struct net_backend *backend, uint64_t features, unsigned pairs)
{
	fake.configured++;
	fake.features = features;
	fake.pairs = pairs;
}

static void fake_destroy(struct net_backend *backend)
{
	fake.destroyed++;
}

static const struct net_backend_ops fake_ops = {
	.name = "fake",
	.send = fake_send,
	.receive = fake_receive,
	.configure = fake_configure,
	.destroy = fake_destroy,
};

static void attach_fake(void)
{
	fake = (struct fake){.backend = {.ops = &fake_ops, .pairs = 1}};
	net->backend = &fake.backend;
	net->mtu = 1500;
}

/* --- set-up --------------------------------------------------------------------------------- */

static void start(unsigned pairs, uint64_t without)
{
	guest_init(&g, 4 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_net_create(loop, 0, pairs, &dev), 0);
	net = container_of(dev, struct net, dev);
	fake_transport_attach(&transport, dev, &g, loop);
	attach_fake();
	cr_assert_eq(fake_transport_start(dev, &g, q, without), 0);
	data = guest_alloc(&g, 1 << 20);
}

static void setup(void)
{
	start(1, 0);
}

static void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	guest_finish(&g);
}

TestSuite(virtio_net, .init = setup, .fini = teardown);
TestSuite(virtio_net_alone, .fini = teardown);

static struct virtio_net_hdr_v1 *header_at(uint64_t gpa)
{
	return guest_at(&g, gpa);
}

static void send_frame(const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	struct driver_segment segs[] = {{data, NET_HEADER, false}, {data + 4096, size, false}};

	*header_at(data) = *header;
	memset(guest_at(&g, data + 4096), 0x55, size);
	driver_add(&q[1], segs, 2);
	virtio_kick(dev, 1);
}

static void offer(unsigned n, uint32_t size)
{
	for (unsigned i = 0; i < n; i++) {
		struct driver_segment seg = {data + i * 4096ull, size, true};

		driver_add(&q[0], &seg, 1);
	}
}

static void arrive(void)
{
	net->readable[0] = true;
	virtio_kick(dev, 0);
}

/* --- from the guest ------------------------------------------------------------------------- */

Test(virtio_net, a_frame_goes_out_behind_its_header)
{
	const struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	struct virtio_net_hdr_v1 got;
	uint32_t head, len;

	send_frame(&header, 1000);
	cr_assert_eq(fake.sent, 1);
	cr_expect_eq(fake.last_size, NET_HEADER + 1000);
	memcpy(&got, fake.last, sizeof(got));
	cr_expect_eq(got.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	cr_expect_eq(got.csum_start, 34);
	cr_expect_eq(fake.last[NET_HEADER + 999], 0x55);
	cr_assert(driver_get(&q[1], &head, &len));
	cr_expect_eq(len, 0);
	cr_expect_eq(transport.used[1], 1);
	cr_expect_eq(net->tx_packets, 1);
	cr_expect_eq(net->tx_bytes, 1000);
}

Test(virtio_net, header_and_frame_may_share_a_segment)
{
	struct driver_segment seg = {data, NET_HEADER + 60, false};

	memset(guest_at(&g, data), 0, NET_HEADER + 60);
	driver_add(&q[1], &seg, 1);
	virtio_kick(dev, 1);
	cr_expect_eq(fake.sent, 1);
	cr_expect_eq(fake.last_size, NET_HEADER + 60);
}

Test(virtio_net, offloads_that_were_not_negotiated_are_lost)
{
	static const struct virtio_net_hdr_v1 bad[] = {
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP, .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM},
		{.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
		 .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM},
		{.gso_type = 77},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		send_frame(&bad[i], 100);
	cr_expect_eq(fake.sent, 0);
	cr_expect_eq(net->tx_dropped, ARRAY_SIZE(bad));
	cr_expect_eq(driver_used_count(&q[1]), ARRAY_SIZE(bad));
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_net_alone, without_checksums_no_header_asks_for_one)
{
	const struct virtio_net_hdr_v1 header = {.flags = 0xff};

	start(1, 1ull << VIRTIO_NET_F_CSUM);
	send_frame(&header, 100);
	cr_assert_eq(fake.sent, 1);
	cr_expect_eq(fake.last[0], 0);
}

Test(virtio_net, a_frame_too_long_or_short_is_lost)
{
	const struct virtio_net_hdr_v1 header = {0};

	send_frame(&header, NET_MAX_FRAME + 1);
	send_frame(&header, NET_MIN_FRAME - 1);
	cr_expect_eq(fake.sent, 0);
	send_frame(&header, NET_MAX_FRAME);
	send_frame(&header, NET_MIN_FRAME);
	cr_expect_eq(fake.sent, 2);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_net, less_than_a_header_breaks_the_device)
{
	struct driver_segment seg = {data, NET_HEADER - 1, false};

	driver_add(&q[1], &seg, 1);
	virtio_kick(dev, 1);
	cr_expect_eq(transport.resets, 1);
	cr_expect_eq(fake.sent, 0);
}

Test(virtio_net, a_backend_without_room_holds_the_frame_and_the_next)
{
	const struct virtio_net_hdr_v1 header = {0};

	fake.send_result = -EAGAIN;
	send_frame(&header, 100);
	send_frame(&header, 100);
	cr_expect_eq(driver_used_count(&q[1]), 0);
	cr_expect(net->blocked);
	fake.send_result = 0;
	virtio_kick(dev, 1);
	cr_expect_eq(fake.sent, 0, "a kick alone changes nothing");
	net->blocked = false;
	source_defer(net->turn);
	loop_turn(loop, 0);
	cr_expect_eq(fake.sent, 2);
	cr_expect_eq(driver_used_count(&q[1]), 2);
	cr_expect_eq(net->tx_dropped, 0);
}

Test(virtio_net, a_turn_sends_few_and_the_next_goes_on)
{
	struct driver_segment seg = {data, NET_HEADER + 60, false};

	memset(guest_at(&g, data), 0, NET_HEADER + 60);
	for (unsigned i = 0; i < 200; i++)
		driver_add(&q[1], &seg, 1);
	virtio_kick(dev, 1);
	cr_expect_gt(fake.sent, 0);
	cr_expect_lt(fake.sent, 200);
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 0);
	cr_expect_eq(fake.sent, 200);
}

/* --- to the guest --------------------------------------------------------------------------- */

Test(virtio_net, a_packet_takes_as_many_buffers_as_it_fills)
{
	uint32_t head, len;

	offer(64, 1536);
	fake.packets[0] = 4000;
	fake.packets[1] = 60;
	arrive();
	cr_assert_eq(driver_used_count(&q[0]), 4);
	cr_expect_eq(header_at(data)->num_buffers, 3);
	cr_expect(driver_get(&q[0], &head, &len) && len == 1536);
	cr_expect(driver_get(&q[0], &head, &len) && len == 1536);
	cr_expect(driver_get(&q[0], &head, &len) && len == 4012 - 2 * 1536);
	cr_expect(driver_get(&q[0], &head, &len) && len == 72);
	cr_expect_eq(head, 3);
	cr_expect_eq(header_at(data + 3 * 4096)->num_buffers, 1);
	cr_expect_eq(*(uint8_t *)guest_at(&g, data + 4096), 0x10);
	cr_expect_eq(*(uint8_t *)guest_at(&g, data + 3 * 4096 + NET_HEADER), 0x11);
	cr_expect_eq(transport.used[0], 1);
	cr_expect_eq(dev->queues[0].next_avail, 4, "the rest is the ring's again");
	cr_expect_eq(net->rx_packets, 2);
	cr_expect_eq(net->rx_bytes, 4060);
}

Test(virtio_net, with_too_few_buffers_the_packet_waits)
{
	offer(8, 1536);
	fake.packets[0] = 60;
	arrive();
	cr_expect_eq(driver_used_count(&q[0]), 0);
	cr_expect_eq(fake.at, 0);
	cr_expect_eq(net->rx_stalls, 1);
	loop_turn(loop, 0);
	cr_expect_eq(net->rx_stalls, 1, "nothing spins");
	offer(64, 1536);
	virtio_kick(dev, 0);
	cr_expect_eq(driver_used_count(&q[0]), 1);
}

Test(virtio_net_alone, without_merging_a_packet_has_one_buffer)
{
	uint32_t head, len;

	start(1, 1ull << VIRTIO_NET_F_MRG_RXBUF);
	offer(3, 1526);
	fake.packets[0] = 1514;
	fake.packets[1] = 1515;
	fake.packets[2] = 60;
	arrive();
	cr_expect_eq(net->rx_dropped, 1);
	cr_assert_eq(driver_used_count(&q[0]), 2);
	cr_expect(driver_get(&q[0], &head, &len) && head == 0 && len == 1526);
	cr_expect(driver_get(&q[0], &head, &len) && head == 1 && len == 72);
	cr_expect_eq(header_at(data + 4096)->num_buffers, 1);
}

Test(virtio_net_alone, without_big_packets_few_buffers_are_enough)
{
	start(1, 1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6);
	offer(2, 1536);
	fake.packets[0] = 1514;
	arrive();
	cr_expect_eq(driver_used_count(&q[0]), 1);
}

Test(virtio_net, a_buffer_without_room_breaks_the_device)
{
	struct driver_segment seg = {data, NET_HEADER, true};

	fake.packets[0] = 60;
	driver_add(&q[0], &seg, 1);
	arrive();
	cr_expect_eq(transport.resets, 1);
}

Test(virtio_net, a_header_in_small_pieces_is_written_all_the_same)
{
	struct driver_segment segs[13];

	for (unsigned i = 0; i < 12; i++)
		segs[i] = (struct driver_segment){data + i * 64ull, 1, true};
	segs[12] = (struct driver_segment){data + 4096, 66000, true};
	driver_add(&q[0], segs, 13);
	fake.packets[0] = 60;
	arrive();
	cr_assert_eq(driver_used_count(&q[0]), 1);
	cr_expect_eq(*(uint8_t *)guest_at(&g, data + 10 * 64), 1);
	cr_expect_eq(*(uint8_t *)guest_at(&g, data + 11 * 64), 0);
}

Test(virtio_net, a_turn_receives_few_and_the_next_goes_on)
{
	offer(200, 1536);
	for (unsigned i = 0; i < 100; i++)
		fake.packets[i] = 60;
	arrive();
	cr_expect_gt(fake.at, 0);
	cr_expect_lt(fake.at, 100);
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 0);
	cr_expect_eq(fake.at, 100);
	cr_expect_eq(driver_used_count(&q[0]), 100);
}

Test(virtio_net, a_backend_that_ends_parks_the_slot)
{
	offer(64, 1536);
	fake.ended = 1;
	arrive();
	loop_turn(loop, 0);
	cr_expect_eq(fake.destroyed, 1);
	cr_expect_null(net->backend);
	cr_expect_eq(transport.config, 1);
	cr_expect_eq(transport.resets, 0);
	send_frame(&(struct virtio_net_hdr_v1){0}, 60);
	cr_expect_eq(driver_used_count(&q[1]), 1);
	cr_expect_eq(net->tx_dropped, 1);
}

/* --- control, configuration ----------------------------------------------------------------- */

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

/* --- the stream ----------------------------------------------------------------------------- */

static int stream_peer(void)
{
	int pair[2];

	virtio_net_detach(dev, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(virtio_net_attach_stream(dev, pair[0], 1500, NULL), 0);
	return pair[1];
}

Test(virtio_net, a_stream_carries_frames_behind_their_lengths)
{
	static const uint8_t in[] = "\0\0\0\x10sixteen bytes...\0\0\0\x0f"
				    "fifteen bytes..\0\0\0\x20half of";
	uint8_t buf[256];
	int peer = stream_peer();
	uint32_t head, len;

	send_frame(&(struct virtio_net_hdr_v1){0}, 100);
	cr_assert_eq(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), 104);
	cr_expect_eq(memcmp(buf, "\0\0\0\x64\x55", 5), 0);
	offer(64, 1536);
	cr_assert_eq(write(peer, in, sizeof(in) - 1), sizeof(in) - 1);
	loop_turn(loop, 0);
	cr_assert_eq(driver_used_count(&q[0]), 2);
	cr_expect(driver_get(&q[0], &head, &len) && len == 16 + NET_HEADER);
	cr_expect_eq(memcmp(guest_at(&g, data + NET_HEADER), "sixteen bytes..", 15), 0);
	cr_expect(driver_get(&q[0], &head, &len) && len == 15 + NET_HEADER);
	cr_expect_eq(header_at(data + 4096)->num_buffers, 1);
	close(peer);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	cr_expect_null(net->backend, "its end parks the slot");
}

Test(virtio_net, a_stream_takes_no_offloads)
{
	const struct virtio_net_hdr_v1 csum = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	int peer = stream_peer();
	uint8_t buf[16];

	send_frame(&csum, 100);
	cr_expect_eq(net->tx_dropped, 1);
	cr_expect_lt(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), 0);
	close(peer);
}

Test(virtio_net, a_stream_with_an_impossible_length_ends)
{
	int peer = stream_peer();

	offer(64, 1536);
	cr_assert_eq(write(peer, "\0\xff\0\0", 4), 4);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	cr_expect_null(net->backend);
	cr_expect_eq(transport.resets, 0);
	close(peer);
}

/* More than the socket takes: nothing is lost, nothing is torn. */
Test(virtio_net, a_slow_peer_gets_every_frame)
{
	enum { FRAMES = 200, SIZE = 60000 };
	int peer = stream_peer();
	size_t got = 0, taken = 0;
	static uint8_t buf[1 << 16];

	memset(guest_at(&g, data), 0, NET_HEADER + SIZE);
	for (unsigned i = 0; i < FRAMES; i++) {
		struct driver_segment seg = {data, NET_HEADER + SIZE, false};

		driver_add(&q[1], &seg, 1);
	}
	virtio_kick(dev, 1);
	cr_expect(net->blocked);
	cr_expect_lt(driver_used_count(&q[1]), FRAMES);
	for (unsigned i = 0; i < 10000 && got < FRAMES * (SIZE + 4ull); i++) {
		ssize_t n = recv(peer, buf, 3333, MSG_DONTWAIT);

		got += n > 0 ? (size_t)n : 0;
		loop_turn(loop, 0);
	}
	taken = driver_used_count(&q[1]);
	cr_expect_eq(got, FRAMES * (SIZE + 4ull));
	cr_expect_eq(taken, FRAMES);
	cr_expect_eq(net->tx_dropped, 0);
	close(peer);
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
