/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vsock_packet.h"

#include <criterion/criterion.h>

static const uint8_t wire[VSOCK_HEADER_SIZE] = {
	0x03, 0,    0,    0,    0, 0, 0, 0x80, /* src_cid */
	0x02, 0,    0,    0,    0, 0, 0, 0,    /* dst_cid */
	0x04, 0x03, 0x02, 0x01,                /* src_port */
	0x00, 0x04, 0x00, 0x00,                /* dst_port */
	0x00, 0x00, 0x01, 0x00,                /* len */
	0x01, 0x00, 0x05, 0x00,                /* type, op */
	0x03, 0x00, 0x00, 0x00,                /* flags */
	0x00, 0x00, 0x04, 0x00,                /* buf_alloc */
	0xff, 0xff, 0xff, 0xff,                /* fwd_cnt */
};

Test(vsock_packet, decodes_the_wire)
{
	struct vsock_packet p;

	vsock_packet_decode(wire, &p);
	cr_expect_eq(p.src_cid, 0x8000000000000003);
	cr_expect_eq(p.dst_cid, 2);
	cr_expect_eq(p.src_port, 0x01020304);
	cr_expect_eq(p.dst_port, 1024);
	cr_expect_eq(p.len, 65536);
	cr_expect_eq(p.type, VIRTIO_VSOCK_TYPE_STREAM);
	cr_expect_eq(p.op, VIRTIO_VSOCK_OP_RW);
	cr_expect_eq(p.flags, 3);
	cr_expect_eq(p.buf_alloc, 262144);
	cr_expect_eq(p.fwd_cnt, UINT32_MAX);
}

Test(vsock_packet, encodes_what_it_decoded)
{
	uint8_t buf[VSOCK_HEADER_SIZE] = {0};
	struct vsock_packet p;

	vsock_packet_decode(wire, &p);
	vsock_packet_encode(&p, buf);
	cr_expect_arr_eq(buf, wire, sizeof(wire));
}
