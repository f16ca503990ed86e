/* SPDX-License-Identifier: Apache-2.0 */
/* config.json to the guest's message, which must then pack and stay below a frame's size. */
#include <stdint.h>
#include <stdlib.h>

#include "common/ttrpc.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void build(struct spec *spec)
{
	struct err err = ERR_INIT;
	Spec__Spec *guest = NULL;
	uint8_t *buf;
	size_t size;

	if (spec_guest_build(spec, &guest, &err) < 0) {
		if (!err.code || !err.msg[0])
			abort();
		return;
	}
	if (!guest->process || guest->process->n_args == 0 || guest->process->cwd[0] != '/')
		abort();
	size = protobuf_c_message_get_packed_size(&guest->base);
	buf = malloc(size);
	if (!buf || protobuf_c_message_pack(&guest->base, buf) != size || size > TTRPC_MAX_DATA)
		abort();
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct spec *spec = NULL;

	if (spec_parse((const char *)data, size, &spec, &err) == 0)
		build(spec);
	else if (!err.code || !err.msg[0])
		abort();
	spec_free(spec);
	spec = NULL;
	spec_parse_process((const char *)data, size, &spec, NULL);
	spec_free(spec);
	return 0;
}
