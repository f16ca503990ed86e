/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config.json all its way: parsed, made into the guest's message, packed, unpacked within the agent's
 * budget, planned. It may be refused at any step, in one line that names why; what was planned must
 * print. The agent is linked, too (Makefile).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/plan.h"
#include "common/budget.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"

#define BUDGET (16u << 20) /* rpc.h: 16 times the agent's largest frame */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct err *err)
{
	if (!err->code || !err->msg[0] || strchr(err->msg, '\n'))
		abort();
}

static void plan(const Spec__Spec *message)
{
	size_t size = protobuf_c_message_get_packed_size(&message->base);
	struct plan made = {0}, resources = {0};
	struct err err = ERR_INIT;
	uint8_t *bytes = malloc(size + 1);
	Spec__Spec *again;

	if (!bytes || protobuf_c_message_pack(&message->base, bytes) != size)
		abort();
	again = (Spec__Spec *)budget_unpack(&spec__spec__descriptor, bytes, size, BUDGET);
	free(bytes);
	if (!again)
		return;
	if (plan_make(again, &made, &err) == 0) {
		char *text = plan_print(&made);

		if (!text || !made.process.argv[0])
			abort();
		free(text);
		plan_finish(&made);
	} else {
		check(&err);
	}
	if (again->linux && again->linux->resources &&
	    plan_resources(again->linux->resources, &resources, NULL) == 0)
		plan_finish(&resources);
	protobuf_c_message_free_unpacked(&again->base, NULL);
}

static int resolve(const char *type, const char *path, const char **ret, void *data,
		   struct err *err)
{
	*ret = path[0] == '/' ? "" : path;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct spec *spec = NULL;
	Spec__Spec *message = NULL;
	int r = spec_parse((const char *)data, size, &spec, &err);

	if (r == 0) {
		spec->resolve_namespace = resolve;
		spec->id = "id";
		spec->bundle = "/bundle";
		r = spec_guest_build(spec, &message, &err);
	}
	if (r == 0)
		plan(message);
	else
		check(&err);
	spec_free(spec);
	return 0;
}
