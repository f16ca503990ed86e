/* SPDX-License-Identifier: Apache-2.0 */
/* The vsock device whole, rings, mux and sockets: how connections come to be, many of them, and time. */
#include "vmm/vsock_mux.h"

#include "tests/unit/vmm/vsock_guest.h"
#include "vmm/vsock_conn.h"

static struct vsock_guest vg;

static void setup(void)
{
	vg_init(&vg);
}

static void teardown(void)
{
	vg_finish(&vg);
}

TestSuite(vsock_mux, .init = setup, .fini = teardown);

/* --- connecting ---------------------------------------------------------------------------- */

Test(vsock_mux, a_host_process_reaches_a_listening_guest)
{
	int fd = host_dial(&vg, "CONNECT 52\n");
	struct vsock_packet p = vg_expect(&vg, 52, VIRTIO_VSOCK_OP_REQUEST);
	char ok[32];

	cr_expect_eq(p.type, VIRTIO_VSOCK_TYPE_STREAM);
	cr_expect_eq(p.buf_alloc, VSOCK_BUFFER);
	cr_expect_str_eq(host_read(&vg, fd), "nothing");
	vg_send(&vg, 52, p.src_port, VIRTIO_VSOCK_OP_RESPONSE, 0);
	snprintf(ok, sizeof(ok), "OK %u\n", p.src_port);
	cr_expect_str_eq(host_read(&vg, fd), ok);
	close(fd);
}

Test(vsock_mux, a_host_process_that_is_refused_reads_nothing_but_the_end)
{
	int fd = host_dial(&vg, "CONNECT 52\n");
	struct vsock_packet p = vg_expect(&vg, 52, VIRTIO_VSOCK_OP_REQUEST);

	vg_send(&vg, 52, p.src_port, RST, 0);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	close(fd);
}

Test(vsock_mux, greetings_that_are_none_are_closed)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT x\n",
		"CONNECT -1\n",
		"CONNECT 4294967296\n",
		"CONNECT 1 \n",
		"HELLO 1\n",
		"CONNECT 1111111111111111111111111111111111111111111",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int fd = host_dial(&vg, bad[i]);

		cr_expect(host_closed(&vg, fd), "case %zu", i);
		vg_expect_nothing(&vg);
		close(fd);
	}
}

Test(vsock_mux, a_greeting_may_come_in_pieces_and_data_behind_it)
{
	int fd = host_dial(&vg, "conn");
	struct vsock_packet p;
	char buf[RX_SIZE];

	vg_expect_nothing(&vg);
	cr_assert_eq(io_write_full(fd, "ect 7\nearly", 11), 0);
	p = vg_expect(&vg, 7, VIRTIO_VSOCK_OP_REQUEST);
	vg_expect_nothing(&vg); /* no data before the answer */
	vg_send(&vg, 7, p.src_port, VIRTIO_VSOCK_OP_RESPONSE, 0);
	cr_assert(vg_recv(&vg, &p, buf));
	cr_expect_eq(p.op, VIRTIO_VSOCK_OP_RW);
	cr_expect_eq(p.len, 5);
	cr_expect_arr_eq(buf, "early", 5);
	close(fd);
}

Test(vsock_mux, a_process_that_leaves_before_the_answer_resets)
{
	int fd = host_dial(&vg, "CONNECT 9\n");
	struct vsock_packet p = vg_expect(&vg, 9, VIRTIO_VSOCK_OP_REQUEST);

	close(fd);
	vg_expect(&vg, 9, RST);
	/* Its late answer belongs to nobody. */
	vg_send(&vg, 9, p.src_port, VIRTIO_VSOCK_OP_RESPONSE, 0);
	vg_expect(&vg, 9, RST);
}

Test(vsock_mux, the_guest_reaches_a_listening_process)
{
	int listener = host_listen(&vg, 1024);
	int fd = connect_from_guest(&vg, listener, 5000, 1024);

	vg_send_data(&vg, 5000, 1024, "ping", 4, 0);
	cr_expect_str_eq(host_read(&vg, fd), "ping");
	close(fd);
	close(listener);
}

Test(vsock_mux, the_guest_is_refused_where_nobody_listens)
{
	vg_send(&vg, 5000, 1, VIRTIO_VSOCK_OP_REQUEST, 0);
	vg_expect(&vg, 5000, RST);
}

Test(vsock_mux, strange_packets_are_refused_or_dropped)
{
	struct vsock_packet p = vg_packet(1, 2, VIRTIO_VSOCK_OP_RW);

	vg_send_raw(&vg, &p, NULL, 0); /* no such connection */
	vg_expect(&vg, 1, RST);
	p.op = RST;
	vg_send_raw(&vg, &p, NULL, 0); /* never a RST for a RST */
	p.op = VIRTIO_VSOCK_OP_REQUEST;
	p.src_cid = CID + 1;
	vg_send_raw(&vg, &p, NULL, 0); /* not itself */
	p.src_cid = CID;
	p.dst_cid = 7;
	vg_send_raw(&vg, &p, NULL, 0); /* not to us */
	vg_expect_nothing(&vg);
	p.dst_cid = VSOCK_HOST_CID;
	p.type = VIRTIO_VSOCK_TYPE_SEQPACKET;
	vg_send_raw(&vg, &p, NULL, 0);
	cr_expect_eq(vg_expect(&vg, 1, RST).type, VIRTIO_VSOCK_TYPE_SEQPACKET);
	cr_expect_eq(vg.transport.resets, 0);
}

Test(vsock_mux, a_second_request_or_an_unknown_operation_ends_the_connection)
{
	int listener = host_listen(&vg, 1);
	int fd = connect_from_guest(&vg, listener, 10, 1);

	vg_send(&vg, 10, 1, VIRTIO_VSOCK_OP_REQUEST, 0);
	vg_expect(&vg, 10, RST);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	close(fd);
	fd = connect_from_guest(&vg, listener, 10, 1);
	vg_send(&vg, 10, 1, 99, 0);
	vg_expect(&vg, 10, RST);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	close(fd);
	close(listener);
}

Test(vsock_mux, a_length_beyond_the_chain_breaks_the_device)
{
	struct vsock_packet p = vg_packet(1, 2, VIRTIO_VSOCK_OP_RW);

	p.len = 5;
	vg_send_raw(&vg, &p, "1234", 4);
	cr_expect_eq(vg.transport.resets, 1);
	cr_expect(vg.dev->failed);
}

Test(vsock_mux, a_receive_buffer_without_room_breaks_the_device)
{
	struct driver_segment seg = {vg.rx_gpa, VSOCK_HEADER_SIZE, true};
	struct vsock_packet p;

	for (unsigned i = 0; i < RX_BUFFERS; i++) {
		vg_send(&vg, 1, i, VIRTIO_VSOCK_OP_REQUEST, 0);
		cr_assert_eq(driver_used_count(&vg.q[0]), i + 1);
	}
	driver_add(&vg.q[0], &seg, 1);
	vg_send(&vg, 1, 1, VIRTIO_VSOCK_OP_REQUEST, 0);
	cr_expect_eq(vg.transport.resets, 1);
	cr_expect(vg_recv(&vg, &p, NULL));
}

Test(vsock_mux, refusals_wait_for_receive_buffers_and_stop_the_guest)
{
	unsigned taken;

	/* RX_BUFFERS answers fit; the mux holds some more; then the tx ring is left alone. */
	for (unsigned i = 0; i < 1000; i++)
		vg_send(&vg, 1, i, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	taken = vg.q[1].last_used;
	cr_expect_gt(taken, RX_BUFFERS);
	cr_expect_lt(taken, 1000);
	/* The test's driver went round its ring without waiting; so much for that device. */
}

/* It has been told not to kick for packets that wait, and may sleep until they are taken. */
Test(vsock_mux, packets_that_waited_for_room_are_taken_without_a_kick)
{
	struct vsock_packet p = vg_packet(1, 2, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	struct driver_segment rx = {vg.rx_gpa, RX_SIZE, true};
	struct driver_segment tx = {vg.tx_gpa, VSOCK_HEADER_SIZE, false};

	/* Room is left for ten refusals, and buffers for none. */
	for (unsigned i = 0; i < RX_BUFFERS + 246; i++)
		vg_send(&vg, 1, 2, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	cr_assert_eq(vg.dev->queues[1].next_avail, RX_BUFFERS + 246);
	vsock_packet_encode(&p, guest_at(&vg.mem, vg.tx_gpa));
	for (unsigned i = 0; i < 20; i++)
		driver_add(&vg.q[0], &rx, 1);
	for (unsigned i = 0; i < 30; i++)
		driver_add(&vg.q[1], &tx, 1);
	virtio_kick(vg.dev, 1);
	vg_turn(&vg);
	cr_expect_eq(vg.dev->queues[1].next_avail, RX_BUFFERS + 246 + 30);
}

/* --- many ---------------------------------------------------------------------------------- */

#define MANY 400 /* the limit of open files rules here; the integration test has more */

Test(vsock_mux, many_connections_at_once)
{
	int listener = host_listen(&vg, 1), fds[MANY];
	char want[16];

	for (uint32_t i = 0; i < MANY; i++)
		fds[i] = connect_from_guest(&vg, listener, 1000 + i, 1);
	for (uint32_t i = 0; i < MANY; i++) {
		int n = snprintf(want, sizeof(want), "number %u", i);

		vg_send_data(&vg, 1000 + i, 1, want, (uint32_t)n, 0);
		cr_assert_str_eq(host_read(&vg, fds[i]), want);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		vg_send(&vg, 1000 + i, 1, RST, 0);
		cr_assert_str_eq(host_read(&vg, fds[i]), "EOF");
		close(fds[i]);
	}
	close(listener);
}

/* --- time ---------------------------------------------------------------------------------- */

static void on_wake(void *data)
{
}

static bool take_packet(struct vsock_mux *mux, uint16_t *ret_op)
{
	uint8_t buf[64];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct vsock_slot slot = {.payload = &iov, .n = 1, .room = sizeof(buf)};

	if (!vsock_mux_fill(mux, &slot, 1))
		return false;
	*ret_op = slot.packet.op;
	return true;
}

Test(vsock_mux, a_silent_greeting_and_a_silent_guest_run_out_of_time)
{
	struct vsock_counters counters = {0};
	struct vsock_guest other = {0};
	struct vsock_mux_config config = {
		.guest_cid = CID,
		.wake = on_wake,
		.counters = &counters,
		.timeout_ns = 20000000,
	};
	struct vsock_mux *mux;
	int silent, dialled;
	uint16_t op;

	strcpy(other.dir, "/tmp/vsock-test-XXXXXX");
	cr_assert(mkdtemp(other.dir));
	config.dirfd = other.dirfd = open(other.dir, O_RDONLY | O_DIRECTORY);
	other.loop = vg.loop;
	cr_assert_eq(vsock_mux_create(vg.loop, &config, &mux), 0);
	vsock_mux_set_open(mux, true);
	silent = host_dial(&other, "CONN");
	dialled = host_dial(&other, "CONNECT 5\n");
	cr_assert(take_packet(mux, &op));
	cr_expect_eq(op, VIRTIO_VSOCK_OP_REQUEST);
	cr_expect_str_eq(host_read(&other, silent), "nothing");
	cr_expect_str_eq(host_read(&other, dialled), "nothing");
	usleep(30000);
	cr_expect(host_closed(&other, silent));
	cr_expect_str_eq(host_read(&other, dialled), "EOF");
	cr_assert(take_packet(mux, &op));
	cr_expect_eq(op, RST);
	close(silent);
	close(dialled);
	vsock_mux_destroy(mux);
	io_remove_tree(AT_FDCWD, other.dir);
	close(other.dirfd);
}

/* A pause may be for good: another takes the queues, or their memory goes. */
Test(vsock_mux, nothing_that_was_sent_is_kept_over_a_pause)
{
	struct vsock_packet p = vg_packet(1, 2, RST);
	struct driver_segment seg = {vg.tx_gpa, VSOCK_HEADER_SIZE, false};
	uint32_t head, used;

	vsock_packet_encode(&p, guest_at(&vg.mem, vg.tx_gpa));
	driver_add(&vg.q[1], &seg, 1);
	virtio_kick(vg.dev, 1);
	cr_assert_not(driver_get(&vg.q[1], &head, &used), "it waits for company");
	virtio_pause(vg.dev, true);
	cr_assert(driver_get(&vg.q[1], &head, &used));
	virtio_pause(vg.dev, false);
	cr_assert_not(driver_get(&vg.q[1], &head, &used));
}
