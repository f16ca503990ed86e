/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp profiles as docker and podman have them in files, made into the runtime-spec's linux.seccomp
 * for one container: rules that are for other capabilities, architectures or kernels are left out, and
 * what only docker's form has goes. Pure.
 */
#ifndef SHIM_RUN_SECCOMP_H
#define SHIM_RUN_SECCOMP_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "spec.pb-c.h"

struct spec;

#define RUN_SECCOMP_MAX_BYTES (1u << 20)

/* Whether the container has a capability, by its name ("CAP_CHOWN"). */
typedef bool (*run_seccomp_has_cap)(const char *name, const void *data);

/*
 * text is the file's. With judge the result has been compiled once, so that the shim will take it; sbx's own
 * profile has been in a test.
 */
int run_seccomp_parse(const char *text, size_t size, run_seccomp_has_cap has_cap, const void *data,
		      bool judge, json_t **ret, struct err *err);

/* By the shim's own reader and compiler, around a process that is not to run. *ret is in *ret_spec. */
int run_seccomp_compile(json_t *profile, struct spec **ret_spec, Spec__Spec **ret, struct err *err);

#endif
