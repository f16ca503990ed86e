/* SPDX-License-Identifier: Apache-2.0 */
/* Where an error or a warning of sbx-oci goes: standard error, and the caller's log. */
#ifndef SHIM_OCI_LOG_H
#define SHIM_OCI_LOG_H

#include <stdbool.h>
#include <time.h>

struct oci;

/*
 * A line of the log, as runc's, which the caller frees: `time="..." level=error msg="..."`, or an
 * object of level, msg and time. Pure. NULL: out of memory.
 */
char *oci_log_line(bool json, const char *level, const char *msg, const struct timespec *at);

/* One line on standard error, and one in the log where there is one. */
void oci_log_error(const struct oci *oci, const char *msg);
/* In the log, or else on standard error: what is no failure is not between a caller and its output. */
void oci_log_warning(const struct oci *oci, const char *msg);

/* "2026-01-02T03:04:05.678901234Z" */
void oci_format_time(const struct timespec *at, char ret[40]);

#endif
