/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded allocator for unpacking what the other side sent: protobuf-c allocates from it, and
 * fails, instead of growing, once the budget is spent. One budget a message.
 */
#ifndef COMMON_BUDGET_H
#define COMMON_BUDGET_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct budget {
	ProtobufCAllocator allocator;
	size_t left;
};

void budget_init(struct budget *budget, size_t bytes);

/*
 * Unpacks size bytes of data as a message of type desc, with all memory counted. NULL where the
 * data is malformed or too rich. Freed with protobuf_c_message_free_unpacked(msg, NULL): the memory
 * itself is malloc's.
 */
ProtobufCMessage *budget_unpack(const ProtobufCMessageDescriptor *desc, const void *data,
				size_t size, size_t bytes);

#endif
