/* SPDX-License-Identifier: Apache-2.0 */
/* The vsock device whole: rings, mux, connections, sockets. */
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

#define RST      VIRTIO_VSOCK_OP_RST
#define SHUTDOWN VIRTIO_VSOCK_OP_SHUTDOWN
#define RCV      VIRTIO_VSOCK_SHUTDOWN_RCV
#define SEND     VIRTIO_VSOCK_SHUTDOWN_SEND

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

/* --- data ---------------------------------------------------------------------------------- */

/* Sequence numbers, so that any loss, doubling or swap shows. */
static void pattern(uint32_t from, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)((from + i) * 2654435761u >> 24);
}

Test(vsock_mux, data_to_a_slow_host_process_stays_within_its_credit)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	static uint8_t sent[VSOCK_MAX_PAYLOAD], got[VSOCK_MAX_PAYLOAD], want[VSOCK_MAX_PAYLOAD];
	uint32_t tx = 0, fwd = 0, total = 8 << 20, rx = 0;

	while (rx < total) {
		struct vsock_packet p;
		ssize_t n;

		while (tx < total && VSOCK_BUFFER - (tx - fwd) >= 5000) {
			pattern(tx, sent, 5000);
			vg_send_data(&vg, 10, 1, sent, 5000, 0);
			tx += 5000;
			/* The device never claims to have room it has not got. */
			while (vg_recv(&vg, &p, NULL)) {
				cr_assert_eq(p.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
				fwd = p.fwd_cnt;
			}
		}
		n = recv(fd, got, 3000 + rx % 50000, MSG_DONTWAIT);
		cr_assert_gt(n, 0);
		pattern(rx, want, (size_t)n);
		cr_assert_arr_eq(got, want, (size_t)n);
		rx += (uint32_t)n;
		while (vg_recv(&vg, &p, NULL))
			fwd = p.fwd_cnt;
		cr_assert_leq(tx - fwd, VSOCK_BUFFER);
		if (tx >= total)
			total = tx;
	}
	close(fd);
	close(listener);
}

Test(vsock_mux, a_guest_that_exceeds_its_credit_is_reset)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	static uint8_t data[VSOCK_MAX_PAYLOAD];
	struct vsock_packet p = {0};

	/* Nobody reads: the socket takes some, the ring VSOCK_BUFFER, and then no more. */
	for (unsigned i = 0; i < 200 && p.op != RST; i++) {
		vg_send_data(&vg, 10, 1, data, sizeof(data), 0);
		while (p.op != RST && vg_recv(&vg, &p, NULL))
			;
	}
	cr_expect_eq(p.op, RST);
	close(fd);
	close(listener);
}

Test(vsock_mux, data_to_the_guest_stops_without_credit)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	struct vsock_packet p = vg_packet(10, 1, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	static uint8_t data[100000], got[100000], want[100000];
	uint32_t n = 0;

	p.buf_alloc = 10000;
	vg_send_raw(&vg, &p, NULL, 0);
	pattern(0, data, sizeof(data));
	cr_assert_eq(send(fd, data, sizeof(data), 0), sizeof(data));
	while (vg_recv(&vg, &p, got + n) && p.op == VIRTIO_VSOCK_OP_RW)
		n += p.len;
	cr_expect_eq(n, 10000);
	cr_expect_eq(p.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	vg_expect_nothing(&vg); /* asked once */
	/* What it read, in small steps; the counters may lie backwards, too. */
	while (n < sizeof(data)) {
		p = vg_packet(10, 1, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		p.buf_alloc = 10000;
		p.fwd_cnt = n + 1;
		vg_send_raw(&vg, &p, NULL, 0);
		vg_expect_nothing(&vg); /* more read than sent: nonsense, so nothing */
		p.fwd_cnt = n;
		vg_send_raw(&vg, &p, NULL, 0);
		while (vg_recv(&vg, &p, got + n))
			n += p.len;
	}
	pattern(0, want, sizeof(want));
	cr_expect_arr_eq(got, want, sizeof(want));
	close(fd);
	close(listener);
}

Test(vsock_mux, one_read_fills_several_buffers)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	static uint8_t data[30000], got[30000];
	struct vsock_packet p;
	uint32_t n = 0;

	pattern(7, data, sizeof(data));
	cr_assert_eq(send(fd, data, sizeof(data), 0), sizeof(data));
	while (n < sizeof(data) && vg_recv(&vg, &p, got + n))
		n += p.len;
	cr_expect_eq(n, sizeof(data));
	cr_expect_arr_eq(got, data, sizeof(data));
	close(fd);
	close(listener);
}

Test(vsock_mux, connections_take_turns)
{
	int listener = host_listen(&vg, 1), fds[8];
	static uint8_t data[200000];
	uint32_t got[8] = {0};
	struct vsock_packet p;

	for (unsigned i = 0; i < 8; i++)
		fds[i] = connect_from_guest(&vg, listener, 10 + i, 1);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_gt(send(fds[i], data, sizeof(data), MSG_DONTWAIT), 100000);
	}
	for (unsigned i = 0; i < 8 * 16 * 2; i++) {
		cr_assert(vg_recv(&vg, &p, NULL));
		got[p.dst_port - 10] += p.len;
	}
	for (unsigned i = 0; i < 8; i++) {
		cr_expect_gt(got[i], 0, "connection %u starves", i);
		close(fds[i]);
	}
	close(listener);
}

/* --- ends ---------------------------------------------------------------------------------- */

Test(vsock_mux, a_half_close_of_the_host_leaves_the_other_half)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	struct vsock_packet p;
	char buf[RX_SIZE];

	cr_assert_eq(send(fd, "last", 4, 0), 4);
	shutdown(fd, SHUT_WR);
	cr_assert(vg_recv(&vg, &p, buf));
	cr_expect_eq(p.len, 4);
	cr_expect_eq(vg_expect(&vg, 10, SHUTDOWN).flags, SEND);
	vg_send_data(&vg, 10, 1, "answer", 6, 4);
	cr_expect_str_eq(host_read(&vg, fd), "answer");
	vg_send(&vg, 10, 1, SHUTDOWN, RCV | SEND);
	vg_expect(&vg, 10, RST);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	close(fd);
	close(listener);
}

Test(vsock_mux, a_half_close_of_the_guest_leaves_the_other_half)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	struct vsock_packet p;
	char buf[RX_SIZE];

	vg_send_data(&vg, 10, 1, "last", 4, 0);
	vg_send(&vg, 10, 1, SHUTDOWN, SEND);
	cr_expect_str_eq(host_read(&vg, fd), "last");
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	cr_assert_eq(send(fd, "answer", 6, 0), 6);
	cr_assert(vg_recv(&vg, &p, buf));
	cr_expect_eq(p.len, 6);
	/* Data after its own end: a liar. */
	vg_send_data(&vg, 10, 1, "x", 1, 0);
	vg_expect(&vg, 10, RST);
	close(fd);
	close(listener);
}

Test(vsock_mux, a_host_process_that_closes_says_both)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	struct vsock_packet p;
	uint8_t flags = 0;

	close(fd);
	while (vg_recv(&vg, &p, NULL)) {
		cr_assert_eq(p.op, SHUTDOWN);
		flags |= (uint8_t)p.flags;
	}
	cr_expect_eq(flags, RCV | SEND);
	/* What the guest sends until it has heard goes nowhere, without harm. */
	vg_send_data(&vg, 10, 1, "x", 1, 0);
	vg_expect_nothing(&vg);
	vg_send(&vg, 10, 1, RST, 0);
	vg_send(&vg, 10, 1, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	vg_expect(&vg, 10, RST); /* it is unknown now */
	close(listener);
}

Test(vsock_mux, what_the_guest_sent_before_its_end_arrives)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	static uint8_t data[60000], got[60000], want[60000];
	uint32_t tx = 0, rx = 0, fwd = 0;
	struct vsock_packet p;

	/* Until the socket is full and the ring holds the rest. */
	while (tx - fwd + sizeof(data) <= VSOCK_BUFFER) {
		pattern(tx, data, sizeof(data));
		vg_send_data(&vg, 10, 1, data, sizeof(data), 0);
		tx += sizeof(data);
		while (vg_recv(&vg, &p, NULL))
			fwd = p.fwd_cnt;
	}
	vg_send(&vg, 10, 1, SHUTDOWN, RCV | SEND);
	vg_expect(&vg, 10, RST);
	/* The ports are free again, while the old connection still drains. */
	close(connect_from_guest(&vg, listener, 10, 1));
	for (;;) {
		ssize_t n;

		vg_turn(&vg);
		n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
		cr_assert_geq(n, 0);
		if (!n)
			break;
		pattern(rx, want, (size_t)n);
		cr_assert_arr_eq(got, want, (size_t)n);
		rx += (uint32_t)n;
	}
	cr_expect_eq(rx, tx);
	close(fd);
	close(listener);
}

Test(vsock_mux, a_reset_of_the_device_closes_every_connection)
{
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	int greeting = host_dial(&vg, "CONN");

	virtio_reset(vg.dev);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	cr_expect(host_closed(&vg, greeting));
	/* The listener stays; without a guest it refuses. */
	close(greeting);
	greeting = host_dial(&vg, "CONNECT 1\n");
	cr_expect(host_closed(&vg, greeting));
	close(greeting);
	close(fd);
	close(listener);
}

Test(vsock_mux, a_transport_reset_reaches_the_event_queue_when_it_has_a_buffer)
{
	uint64_t gpa = guest_alloc(&vg.mem, 4096);
	struct driver_segment seg = {gpa, sizeof(struct virtio_vsock_event), true};
	int listener = host_listen(&vg, 1), fd = connect_from_guest(&vg, listener, 10, 1);
	uint32_t head, len;

	virtio_vsock_transport_reset(vg.dev);
	cr_expect_str_eq(host_read(&vg, fd), "EOF");
	memset(guest_at(&vg.mem, gpa), 0xff, 4);
	driver_add(&vg.q[2], &seg, 1);
	virtio_kick(vg.dev, 2);
	cr_assert(driver_get(&vg.q[2], &head, &len));
	cr_expect_eq(len, sizeof(struct virtio_vsock_event));
	cr_expect_arr_eq(guest_at(&vg.mem, gpa), "\0\0\0\0", 4);
	close(fd);
	close(listener);
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
