/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-vsock packet header (virtio 1.2, 5.10.6). Pure.
 *
 *	0        8        16       20       24    28     30   32      36          40        44
 *	+--------+--------+--------+--------+-----+------+----+-------+-----------+---------+
 *	| src_cid| dst_cid|src_port|dst_port| len | type | op | flags | buf_alloc | fwd_cnt |
 *	+--------+--------+--------+--------+-----+------+----+-------+-----------+---------+
 *	  le64     le64     le32     le32    le32   le16  le16  le32      le32       le32
 */
#ifndef VMM_VSOCK_PACKET_H
#define VMM_VSOCK_PACKET_H

#include <linux/virtio_vsock.h>
#include <stdint.h>

#define VSOCK_HEADER_SIZE 44
#define VSOCK_MAX_PAYLOAD 65536u
#define VSOCK_HOST_CID    2

#define VSOCK_SHUT_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

struct vsock_packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t len;
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc, fwd_cnt;
};

/* Any 44 bytes decode; the caller judges the fields. */
/*@ requires \valid_read(buf + (0 .. VSOCK_HEADER_SIZE - 1)) && \valid(ret);
    requires \separated(buf + (0 .. VSOCK_HEADER_SIZE - 1), ret);
    assigns *ret;
 */
void vsock_packet_decode(const uint8_t buf[VSOCK_HEADER_SIZE], struct vsock_packet *ret);
/*@ requires \valid(buf + (0 .. VSOCK_HEADER_SIZE - 1)) && \valid_read(packet);
    requires \separated(buf + (0 .. VSOCK_HEADER_SIZE - 1), packet);
    assigns buf[0 .. VSOCK_HEADER_SIZE - 1];
 */
void vsock_packet_encode(const struct vsock_packet *packet, uint8_t buf[VSOCK_HEADER_SIZE]);

#endif
