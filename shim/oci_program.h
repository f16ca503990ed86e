/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a container has the program that it is to run, as far as the host can know. */
#ifndef SHIM_OCI_PROGRAM_H
#define SHIM_OCI_PROGRAM_H

#include "common/err.h"
#include "shim/spec.h"

/*
 * Looks in the caller's root, which is the container's (oci_root.h). -ENOENT or -EACCES, in runc's words, where
 * the program cannot be there or be run; what may lie on a mount that only the guest has is nobody's to deny.
 */
int oci_program_find(const struct spec *spec, struct err *err);

/* Whether path is beneath a mount of spec that the host does not have. Pure. */
bool oci_program_is_the_guests(const struct spec *spec, const char *path);

#endif
