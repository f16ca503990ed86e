/* SPDX-License-Identifier: Apache-2.0 */
#include "common/budget.h"

#include <stdint.h>
#include <stdlib.h>

/* malloc's own header and rounding: an empty string costs more than its one byte. */
#define OVERHEAD 16

static void *budget_alloc(void *data, size_t size)
{
	struct budget *budget = data;

	if (size > SIZE_MAX - OVERHEAD || budget->left < size + OVERHEAD)
		return NULL;
	budget->left -= size + OVERHEAD;
	return malloc(size);
}

static void budget_free(void *data, void *p)
{
	free(p);
}

void budget_init(struct budget *budget, size_t bytes)
{
	budget->allocator.alloc = budget_alloc;
	budget->allocator.free = budget_free;
	budget->allocator.allocator_data = budget;
	budget->left = bytes;
}

ProtobufCMessage *budget_unpack(const ProtobufCMessageDescriptor *desc, const void *data,
				size_t size, size_t bytes)
{
	struct budget budget;

	budget_init(&budget, bytes);
	return protobuf_c_message_unpack(desc, &budget.allocator, size, data);
}
