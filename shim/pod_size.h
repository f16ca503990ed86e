/* SPDX-License-Identifier: Apache-2.0 */
/* How large a pod's VM is, by its first container's annotations. Pure. */
#ifndef SHIM_POD_SIZE_H
#define SHIM_POD_SIZE_H

#include <stdint.h>

#include "common/err.h"

struct spec;

struct pod_size {
	uint64_t memory; /* bytes, whole pages */
	unsigned cpus;
};

/*
 * sbx.memory and sbx.cpus win. Then what Kubernetes says of the whole pod (sandbox-memory,
 * sandbox-cpu-quota and -period), to which the guest's own need is added. A pod of Kubernetes without
 * a CPU limit may use what the host has; and a memory limit, of a pod or a container alone, that the
 * host cannot fill is no reason for a larger VM, whose kernel would pay for pages that never come.
 * fallback: of a pod that says nothing; what is 0 in it is our own. -EINVAL names the annotation.
 */
int pod_size(const struct spec *spec, const struct pod_size *host, const struct pod_size *fallback,
	     struct pod_size *ret, struct err *err);

#endif
