/* SPDX-License-Identifier: Apache-2.0 */
/* Where an error of sbx-oci goes: one line to standard error, and one into the caller's log. */
#ifndef SHIM_OCI_LOG_H
#define SHIM_OCI_LOG_H

#include <stdbool.h>
#include <time.h>

/*
 * A line of the log, as runc's, which the caller frees: `time="..." level=error msg="..."`, or an
 * object of level, msg and time. Pure. NULL: out of memory.
 */
char *oci_log_line(bool json, const char *msg, const struct timespec *at);

/* log (may be NULL) is appended to. */
void oci_log_error(const char *log, bool json, const char *msg);

/* "2026-01-02T03:04:05.678901234Z" */
void oci_format_time(const struct timespec *at, char ret[40]);

#endif
