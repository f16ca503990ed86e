/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of ps(1) that engines know: that of `ps -ef` and that of `ps ax`. Pure. */
#ifndef SHIM_OCI_PS_TABLE_H
#define SHIM_OCI_PS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task.pb-c.h"

enum oci_ps_style { OCI_PS_FULL, OCI_PS_BSD };

/* Which one ps's own arguments ask for: the full one without any, or with an -f among them. */
enum oci_ps_style oci_ps_choose(char *const *args, size_t n);

const char *oci_ps_header(enum oci_ps_style style);

/*
 * A row's line, without a newline. user is the name that goes with its uid, NULL: the number; now_ns is
 * CLOCK_REALTIME. What the guest says is not believed to be printable.
 */
void oci_ps_format(const Task__ProcessRow *row, enum oci_ps_style style, const char *user,
		   uint64_t now_ns, char *ret, size_t size);

#endif
