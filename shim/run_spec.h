/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json for `sbx run`, from its options and the image's configuration, with docker's defaults.
 * Pure but for the caller's environment, which the caller has read already.
 */
#ifndef SHIM_RUN_SPEC_H
#define SHIM_RUN_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/env_file.h"
#include "shim/image.h"
#include "shim/run_options.h"

struct run_spec_input {
	const char *id;
	const struct run_options *options;
	const struct image *image;
	const struct env_list *env; /* the image's, files' and options', merged */
	uint32_t rows, columns;     /* of the terminal; 0: unknown */
	const char *cwd; /* what relative paths of the host are relative to; NULL: unknown */
	json_t *seccomp; /* linux.seccomp; NULL: none */
};

/* -EINVAL: no command, or text that is not UTF-8, which JSON cannot hold. */
int run_spec_build(const struct run_spec_input *input, json_t **ret, struct err *err);

/* Whether the options give the program this capability ("CAP_CHOWN"). data is a struct run_options. */
bool run_spec_has_capability(const char *name, const void *data);

/* process.user from "user[:group]"; two numbers become ids, all else is resolved in the guest. NULL: not UTF-8. */
json_t *run_spec_user(const char *user);
/* NULL where one of the strings is not UTF-8. */
json_t *run_spec_strings(char *const *items, size_t n);

#endif
