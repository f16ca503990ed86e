/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a parsed config.json to the message that the agent gets: numbers converted to cgroup v2's,
 * and everything that has no place in a guest refused by name. Pure.
 */
#ifndef SHIM_SPEC_GUEST_H
#define SHIM_SPEC_GUEST_H

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/spec.h"
#include "spec.pb-c.h"

/*
 * What bind mounts bring in from the host is listed in spec->shares, and the message has its names.
 * The message lives as long as the spec, whose strings and memory it uses; it must not be freed by
 * protobuf-c.
 */
int spec_guest_build(struct spec *spec, Spec__Spec **ret, struct err *err);
int spec_guest_build_process(struct spec *spec, const struct spec_process *process,
			     Spec__Process **ret, struct err *err);
/* linux.sysctl alone, of a container that stands for its pod. */
int spec_guest_build_sysctl(struct spec *spec, size_t *ret_n, Spec__KeyValue ***ret,
			    struct err *err);
int spec_guest_build_resources(struct spec *spec, const struct spec_resources *resources,
			       Spec__Resources **ret, struct err *err);

/*
 * Takes cpuset's cpus and mems, which name the host's processors and memory nodes, out of resources (may be NULL).
 * Whether there were any.
 */
bool spec_drop_cpuset(struct spec_resources *resources);

#endif
