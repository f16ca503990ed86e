/* SPDX-License-Identifier: Apache-2.0 */
/* The stages of a pod's start that have been reached, with their times: what --explain shows. */
#ifndef SHIM_STAGES_H
#define SHIM_STAGES_H

#include <stddef.h>
#include <stdint.h>

#define STAGES_MAX     64
#define STAGE_NAME_MAX 40

struct stage {
	char name[STAGE_NAME_MAX];
	uint64_t at_ns; /* CLOCK_MONOTONIC */
};

/* Kept in order of time. One too many is dropped; names are clipped and made printable. */
struct stages {
	struct stage items[STAGES_MAX];
	size_t n;
};

void stages_add(struct stages *stages, const char *name, uint64_t at_ns);
/* The same, now. */
void stages_mark(struct stages *stages, const char *name);
/* The name of the last stage reached, "nothing" where there is none. */
const char *stages_last(const struct stages *stages);

#endif
