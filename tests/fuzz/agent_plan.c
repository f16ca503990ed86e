/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a Create from the wire to a plan, its device filter and its text. */
#include <stdint.h>
#include <stdlib.h>

#include "agent/plan.h"
#include "agent/rootfs.h"
#include "common/budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Agent__CreateRequest *req;
	struct devfilter filter;
	struct err err = ERR_INIT;
	struct plan plan;

	req = (Agent__CreateRequest *)budget_unpack(&agent__create_request__descriptor, data, size,
						    1 << 20);
	if (!req)
		return 0;
	plan_is_id(req->id);
	rootfs_check(req->rootfs, &err);
	if (plan_make(req->spec, &plan, &err) == 0) {
		if (devfilter_generate(plan.rules, plan.n_rules, &filter) == 0)
			devfilter_finish(&filter);
		free(plan_print(&plan));
		plan_finish(&plan);
	} else if (!err.code || !err.msg[0]) {
		__builtin_trap();
	}
	protobuf_c_message_free_unpacked(&req->base, NULL);
	return 0;
}
