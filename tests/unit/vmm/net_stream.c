/* SPDX-License-Identifier: Apache-2.0 */
/* The backend that speaks over a stream socket, through the device. */
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/vmm/net_guest.h"

TestSuite(net_stream, .init = setup, .fini = teardown);

static int stream_peer(void)
{
	int pair[2];

	virtio_net_detach(dev, NULL);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(virtio_net_attach_stream(dev, pair[0], 1500, NULL), 0);
	return pair[1];
}

Test(net_stream, a_stream_carries_frames_behind_their_lengths)
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

Test(net_stream, a_stream_takes_no_offloads)
{
	const struct virtio_net_hdr_v1 csum = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	int peer = stream_peer();
	uint8_t buf[16];

	send_frame(&csum, 100);
	cr_expect_eq(net->tx_dropped, 1);
	cr_expect_lt(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), 0);
	close(peer);
}

Test(net_stream, a_stream_with_an_impossible_length_ends)
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
Test(net_stream, a_slow_peer_gets_every_frame)
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
