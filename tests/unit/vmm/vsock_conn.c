/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, through the device whole: data and its credit, and the many ways to end. */
#include "vmm/vsock_conn.h"

#include "tests/unit/vmm/vsock_guest.h"

static struct vsock_guest vg;

static void setup(void)
{
	vg_init(&vg);
}

static void teardown(void)
{
	vg_finish(&vg);
}

TestSuite(vsock_conn, .init = setup, .fini = teardown);

/* --- data ---------------------------------------------------------------------------------- */

/* Sequence numbers, so that any loss, doubling or swap shows. */
static void pattern(uint32_t from, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)((from + i) * 2654435761u >> 24);
}

Test(vsock_conn, data_to_a_slow_host_process_stays_within_its_credit)
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

Test(vsock_conn, a_guest_that_exceeds_its_credit_is_reset)
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

Test(vsock_conn, data_to_the_guest_stops_without_credit)
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

Test(vsock_conn, one_read_fills_several_buffers)
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

Test(vsock_conn, connections_take_turns)
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

Test(vsock_conn, a_half_close_of_the_host_leaves_the_other_half)
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

Test(vsock_conn, a_half_close_of_the_guest_leaves_the_other_half)
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

Test(vsock_conn, a_host_process_that_closes_says_both)
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

Test(vsock_conn, what_the_guest_sent_before_its_end_arrives)
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

Test(vsock_conn, a_reset_of_the_device_closes_every_connection)
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

Test(vsock_conn, a_transport_reset_reaches_the_event_queue_when_it_has_a_buffer)
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
