/* SPDX-License-Identifier: Apache-2.0 */
/* --explain, the stages of a run as a waterfall, and --debug, its console; on standard error. */
#ifndef SHIM_CLI_EXPLAIN_H
#define SHIM_CLI_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

struct cli_shim;

/* begin_ns: when the request was made, CLOCK_MONOTONIC. */
void cli_explain(struct cli_shim *shim, uint64_t begin_ns, bool stages, bool console);

#endif
