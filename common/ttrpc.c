/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ttrpc.h"

#include "common/bytes.h"

void ttrpc_header_decode(const uint8_t buf[TTRPC_HEADER_SIZE], struct ttrpc_header *ret)
{
	struct bytes b = bytes_of(buf, TTRPC_HEADER_SIZE);

	ret->length = bytes_be32(&b);
	ret->stream = bytes_be32(&b);
	ret->type = bytes_u8(&b);
	ret->flags = bytes_u8(&b);
}

void ttrpc_header_encode(const struct ttrpc_header *header, uint8_t buf[TTRPC_HEADER_SIZE])
{
	struct bytes_out b = bytes_out_of(buf, TTRPC_HEADER_SIZE);

	bytes_put_be32(&b, header->length);
	bytes_put_be32(&b, header->stream);
	bytes_put_u8(&b, header->type);
	bytes_put_u8(&b, header->flags);
}
