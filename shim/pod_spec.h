/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod that containerd's Sandbox service describes, in the words in which a sandbox container would:
 * as the spec of one, so that all that reads a pod's size, network or names reads it once. Pure.
 */
#ifndef SHIM_POD_SPEC_H
#define SHIM_POD_SPEC_H

#include "common/bytes.h"
#include "common/err.h"
#include "pod.pb-c.h"

struct spec;

/*
 * config: the bundle's config.json, which the description is laid over; empty: there is none. *ret is
 * the caller's, by spec_free(). -EINVAL: something is not as it has to be, and err says what.
 */
int pod_spec_build(const Pod__CreateSandboxRequest *request, struct bytes config, struct spec **ret,
		   struct err *err);

#endif
