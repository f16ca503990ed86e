/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vsock_packet.h"

#include <assert.h>

#include "common/bytes.h"

static_assert(sizeof(struct virtio_vsock_hdr) == VSOCK_HEADER_SIZE, "virtio 1.2, 5.10.6");

void vsock_packet_decode(const uint8_t buf[VSOCK_HEADER_SIZE], struct vsock_packet *ret)
{
	struct bytes b = bytes_of(buf, VSOCK_HEADER_SIZE);

	ret->src_cid = bytes_le64(&b);
	ret->dst_cid = bytes_le64(&b);
	ret->src_port = bytes_le32(&b);
	ret->dst_port = bytes_le32(&b);
	ret->len = bytes_le32(&b);
	ret->type = bytes_le16(&b);
	ret->op = bytes_le16(&b);
	ret->flags = bytes_le32(&b);
	ret->buf_alloc = bytes_le32(&b);
	ret->fwd_cnt = bytes_le32(&b);
}

void vsock_packet_encode(const struct vsock_packet *packet, uint8_t buf[VSOCK_HEADER_SIZE])
{
	struct bytes_out b = bytes_out_of(buf, VSOCK_HEADER_SIZE);

	bytes_put_le64(&b, packet->src_cid);
	bytes_put_le64(&b, packet->dst_cid);
	bytes_put_le32(&b, packet->src_port);
	bytes_put_le32(&b, packet->dst_port);
	bytes_put_le32(&b, packet->len);
	bytes_put_le16(&b, packet->type);
	bytes_put_le16(&b, packet->op);
	bytes_put_le32(&b, packet->flags);
	bytes_put_le32(&b, packet->buf_alloc);
	bytes_put_le32(&b, packet->fwd_cnt);
}
