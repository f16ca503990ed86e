/* SPDX-License-Identifier: Apache-2.0 */
/* How large a pod's VM is: first by its first container's annotations, then by what its containers ask for. Pure. */
#ifndef SHIM_POD_SIZE_H
#define SHIM_POD_SIZE_H

#include <stdint.h>

#include "common/err.h"

struct spec;
struct spec_resources;

struct pod_size {
	uint64_t memory; /* bytes, whole pages */
	unsigned cpus;
};

/*
 * sbx.memory and sbx.cpus win. Then what Kubernetes says of the whole pod (sandbox-memory,
 * sandbox-cpu-quota and -period), to which the guest's own need is added. A pod of Kubernetes without
 * a CPU limit may use what the host has, and has at least what its shares stand for; and a memory limit, of a pod or a container alone, that the
 * host cannot fill is no reason for a larger VM, whose kernel would pay for pages that never come.
 * fallback: of a pod that says nothing; what is 0 in it is our own. -EINVAL names the annotation.
 */
int pod_size(const struct spec *spec, const struct pod_size *host, const struct pod_size *fallback,
	     struct pod_size *ret, struct err *err);

/*
 * How large a pod that begins with size may ever become: as large as wished, where what is 0 in that is
 * the host's. Never less than size.
 */
void pod_size_max(const struct pod_size *size, const struct pod_size *host,
		  const struct pod_size *wished, struct pod_size *ret);

/* What a container's resources ask for; 0: nothing. */
struct pod_demand {
	uint64_t memory; /* its limit, bytes */
	uint64_t quota, period, shares;
};

/* What resources say replaces what was there; -1 takes it away. NULL says nothing. */
void pod_demand_change(struct pod_demand *demand, const struct spec_resources *resources);

/* Sums, which do not overflow. */
struct pod_demands {
	uint64_t memory;
	uint64_t cpus; /* thousandths: of the quotas, and of the shares where there is no quota */
};

void pod_demands_add(struct pod_demands *sum, const struct pod_demand *demand);

/* The size between least and most that serves them, the guest's own need included. */
void pod_size_for(const struct pod_demands *sum, const struct pod_size *least,
		  const struct pod_size *most, struct pod_size *ret);

#endif
