/* SPDX-License-Identifier: Apache-2.0 */
/* Every message that crosses a boundary, unpacked within a budget. The first byte picks the type.
 */
#include <stddef.h>
#include <stdint.h>

#include "agent.pb-c.h"
#include "common/budget.h"
#include "sbx.pb-c.h"
#include "share.pb-c.h"
#include "task.pb-c.h"
#include "ttrpc.pb-c.h"
#include "vmm.pb-c.h"

#define SERVICES 6

static const ProtobufCServiceDescriptor *const services[SERVICES] = {
	&task__task__descriptor,       &agent__agent__descriptor, &vmm__control__descriptor,
	&sandbox__sandbox__descriptor, &ttrpc__peer__descriptor,  &share__share__descriptor,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCServiceDescriptor *service;
	const ProtobufCMethodDescriptor *method;
	ProtobufCMessage *msg;

	if (size < 2)
		return 0;
	service = services[data[0] % SERVICES];
	method = &service->methods[(data[1] >> 1) % service->n_methods];
	msg = budget_unpack(data[1] & 1 ? method->input : method->output, data + 2, size - 2,
			    1 << 20);
	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
	return 0;
}
