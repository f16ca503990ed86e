/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources from the options of update. Pure. */
#ifndef SHIM_OCI_RESOURCES_H
#define SHIM_OCI_RESOURCES_H

#include <jansson.h>

#include "common/err.h"

/* As they were given; NULL: not at all. */
struct oci_resource_options {
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_idle;
	const char *cpuset_cpus, *cpuset_mems, *memory, *memory_swap, *memory_reservation;
	const char *pids_limit;
};

/* -EINVAL names the option; where there is none at all, too. */
int oci_resources_build(const struct oci_resource_options *options, json_t **ret, struct err *err);

#endif
