/* SPDX-License-Identifier: Apache-2.0 */
/* runc's line of statistics from the answer to Stats. Pure. */
#ifndef SHIM_OCI_STATS_H
#define SHIM_OCI_STATS_H

#include <jansson.h>

#include "any.pb-c.h"
#include "common/err.h"

/* {"type":"stats","id":...,"data":{...}}; *ret_oom (may be NULL) is how many processes died for memory. */
int oci_stats_build(const char *id, const Google__Any *stats, json_t **ret, uint64_t *ret_oom,
		    struct err *err);

#endif
