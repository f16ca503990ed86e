/* SPDX-License-Identifier: Apache-2.0 */
/* The process object of an exec: a file's, or the container's own with what the options change. Pure. */
#ifndef SHIM_OCI_PROCESS_H
#define SHIM_OCI_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/opts.h"

struct oci_process_options {
	struct opt_list env, caps, groups;
	const char *user, *cwd, *apparmor, *label;
	bool tty, no_new_privs;
	uint32_t rows, columns; /* of the terminal; 0: not known */
};

/*
 * From the text of the container's config.json; args are the command, n of them. *ret is JSON text, which
 * the caller frees.
 */
int oci_process_build(const char *config, size_t size, const struct oci_process_options *options,
		      char *const *args, size_t n, char **ret, struct err *err);

#endif
