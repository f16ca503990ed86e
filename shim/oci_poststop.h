/* SPDX-License-Identifier: Apache-2.0 */
/* The poststop hooks of a container whose shim has ended without running them. */
#ifndef SHIM_OCI_POSTSTOP_H
#define SHIM_OCI_POSTSTOP_H

#include "common/err.h"
#include "shim/oci_record.h"

/* Runs them where they are due, which they are not after that, whatever comes of it. */
int oci_poststop_run(const char *root, const struct oci_record *record, struct err *err);

#endif
