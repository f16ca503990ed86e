/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of a vsock device, for tests: sends and takes single packets over real rings, and
 * the processes on the host's side as sockets in a fresh directory.
 */
#ifndef TESTS_VSOCK_GUEST_H
#define TESTS_VSOCK_GUEST_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/virtio_vsock.h"
#include "vmm/vsock_packet.h"

#define CID        3
#define RX_BUFFERS 64
#define RX_SIZE    4096u

#define RST      VIRTIO_VSOCK_OP_RST
#define SHUTDOWN VIRTIO_VSOCK_OP_SHUTDOWN
#define RCV      VIRTIO_VSOCK_SHUTDOWN_RCV
#define SEND     VIRTIO_VSOCK_SHUTDOWN_SEND

struct vsock_guest {
	char dir[32];
	int dirfd;
	struct loop *loop;
	struct guest mem;
	struct virtio_device *dev;
	struct fake_transport transport;
	struct driver_queue q[3];
	uint64_t rx_gpa, tx_gpa;
	uint32_t rx_head_gpa_offset[256];
};

static inline void vg_offer(struct vsock_guest *vg, uint64_t gpa)
{
	struct driver_segment seg = {gpa, RX_SIZE, true};

	driver_add(&vg->q[0], &seg, 1);
	virtio_kick(vg->dev, 0);
}

static inline void vg_init(struct vsock_guest *vg)
{
	strcpy(vg->dir, "/tmp/vsock-test-XXXXXX");
	cr_assert(mkdtemp(vg->dir));
	vg->dirfd = open(vg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(loop_create(&vg->loop), 0);
	guest_init(&vg->mem, 4 << 20);
	cr_assert_eq(virtio_vsock_create(vg->dirfd, CID, vg->loop, &vg->dev), 0);
	fake_transport_attach(&vg->transport, vg->dev, &vg->mem, vg->loop);
	cr_assert_eq(fake_transport_start(vg->dev, &vg->mem, vg->q, 0), 0);
	vg->rx_gpa = guest_alloc(&vg->mem, RX_BUFFERS * RX_SIZE);
	vg->tx_gpa = guest_alloc(&vg->mem, 2 * VSOCK_MAX_PAYLOAD);
	for (unsigned i = 0; i < RX_BUFFERS; i++)
		vg_offer(vg, vg->rx_gpa + i * RX_SIZE);
}

static inline void vg_finish(struct vsock_guest *vg)
{
	virtio_reset(vg->dev);
	vg->dev->ops->destroy(vg->dev);
	loop_destroy(vg->loop);
	guest_finish(&vg->mem);
	io_remove_tree(AT_FDCWD, vg->dir);
	close(vg->dirfd);
}

static inline void vg_turn(struct vsock_guest *vg)
{
	for (unsigned i = 0; i < 4; i++)
		loop_turn(vg->loop, 0);
}

/* Sends a packet as it is, payload behind it; the header's length may lie. */
static inline void vg_send_raw(struct vsock_guest *vg, const struct vsock_packet *p,
			       const void *payload, uint32_t len)
{
	struct driver_segment segs[] = {{vg->tx_gpa, VSOCK_HEADER_SIZE, false},
					{vg->tx_gpa + 4096, len, false}};
	uint32_t head, used;

	vsock_packet_encode(p, guest_at(&vg->mem, vg->tx_gpa));
	if (len)
		memcpy(guest_at(&vg->mem, vg->tx_gpa + 4096), payload, len);
	driver_add(&vg->q[1], segs, len ? 2 : 1);
	virtio_kick(vg->dev, 1);
	while (driver_get(&vg->q[1], &head, &used))
		;
}

static inline struct vsock_packet vg_packet(uint32_t guest_port, uint32_t host_port, uint16_t op)
{
	return (struct vsock_packet){
		.src_cid = CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = guest_port,
		.dst_port = host_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = 262144,
	};
}

static inline void vg_send(struct vsock_guest *vg, uint32_t guest_port, uint32_t host_port,
			   uint16_t op, uint32_t flags)
{
	struct vsock_packet p = vg_packet(guest_port, host_port, op);

	p.flags = flags;
	vg_send_raw(vg, &p, NULL, 0);
	vg_turn(vg);
}

static inline void vg_send_data(struct vsock_guest *vg, uint32_t guest_port, uint32_t host_port,
				const void *data, uint32_t len, uint32_t fwd_cnt)
{
	struct vsock_packet p = vg_packet(guest_port, host_port, VIRTIO_VSOCK_OP_RW);

	p.len = len;
	p.fwd_cnt = fwd_cnt;
	vg_send_raw(vg, &p, data, len);
	vg_turn(vg);
}

/* The next packet from the device; its payload into buf. False: none. Gives the buffer back. */
static inline bool vg_recv(struct vsock_guest *vg, struct vsock_packet *ret, void *buf)
{
	uint32_t head, len;
	uint64_t gpa;

	vg_turn(vg);
	if (!driver_get(&vg->q[0], &head, &len))
		return false;
	gpa = vg->q[0].desc[head].addr;
	cr_assert_geq(len, VSOCK_HEADER_SIZE);
	vsock_packet_decode(guest_at(&vg->mem, gpa), ret);
	cr_assert_eq(ret->len, len - VSOCK_HEADER_SIZE);
	cr_assert_eq(ret->src_cid, VSOCK_HOST_CID);
	cr_assert_eq(ret->dst_cid, CID);
	if (buf)
		memcpy(buf, (uint8_t *)guest_at(&vg->mem, gpa) + VSOCK_HEADER_SIZE, ret->len);
	vg_offer(vg, gpa);
	return true;
}

/* Fails unless the next packet is op for that connection. */
static inline struct vsock_packet vg_expect(struct vsock_guest *vg, uint32_t guest_port,
					    uint16_t op)
{
	struct vsock_packet p = {0};

	cr_assert(vg_recv(vg, &p, NULL), "nothing came");
	cr_assert_eq(p.op, op, "op %u", p.op);
	cr_assert_eq(p.dst_port, guest_port);
	return p;
}

static inline void vg_expect_nothing(struct vsock_guest *vg)
{
	struct vsock_packet p = {0};

	cr_assert_not(vg_recv(vg, &p, NULL), "op %u", p.op);
}

/* --- the host's processes ------------------------------------------------------------------ */

static inline int host_listen(struct vsock_guest *vg, uint32_t port)
{
	char name[32];
	int fd = -1;

	snprintf(name, sizeof(name), "vsock_%u", port);
	cr_assert_eq(sock_listen_at(vg->dirfd, name, 64, &fd), 0);
	return fd;
}

static inline int host_dial(struct vsock_guest *vg, const char *greeting)
{
	int fd = -1;

	cr_assert_eq(sock_connect_at(vg->dirfd, "vsock", &fd), 0);
	cr_assert_eq(io_write_full(fd, greeting, strlen(greeting)), 0);
	vg_turn(vg);
	return fd;
}

/* What there is to read now, as a string; "EOF", "nothing". */
static inline const char *host_read(struct vsock_guest *vg, int fd)
{
	static char buf[8192];
	ssize_t n;

	vg_turn(vg);
	n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? "nothing" : "error";
	if (n == 0)
		return "EOF";
	buf[n] = '\0';
	return buf;
}

/* Closed without a word; a reset where we had said something that was not read. */
static inline bool host_closed(struct vsock_guest *vg, int fd)
{
	const char *end = host_read(vg, fd);

	return !strcmp(end, "EOF") || !strcmp(end, "error");
}

/* A connection that the guest opened from guest_port to port; listener serves port. */
static inline int connect_from_guest(struct vsock_guest *vg, int listener, uint32_t guest_port,
				     uint32_t port)
{
	int fd;

	vg_send(vg, guest_port, port, VIRTIO_VSOCK_OP_REQUEST, 0);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	cr_assert_geq(fd, 0);
	vg_expect(vg, guest_port, VIRTIO_VSOCK_OP_RESPONSE);
	return fd;
}

#endif
