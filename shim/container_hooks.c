/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/container_hooks.h"

#include "common/log.h"
#include "shim/container.h"
#include "shim/shim.h"
#include "shim/spec.h"

void container_hooks_run(struct container *container, enum hooks_stage stage, hooks_fn fn,
			 void *data)
{
	struct hypervisor *hv = container->shim->sandbox.hv;
	const struct hooks_subject subject = {
		.spec = container->spec,
		.id = container->id,
		.bundle = container->bundle,
		.pid = container->stand_in ? container->stand_in
		       : hv                ? hv->pid
					   : 0,
	};
	struct err err = ERR_INIT;

	if (!hooks_any(container->spec, stage)) {
		fn(NULL, data);
		return;
	}
	hooks_cancel(TAKE_PTR(container->hooks));
	if (hooks_start(container->shim->loop, &subject, stage, fn, data, &container->hooks, &err) <
	    0)
		fn(&err, data);
}

void container_hooks_keep(struct container *container)
{
	if (!hooks_any(container->spec, HOOKS_STARTED) &&
	    !hooks_any(container->spec, HOOKS_STOPPED))
		spec_free(TAKE_PTR(container->spec));
}
