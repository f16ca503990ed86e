/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the kernel shall treat a process beside its rights: scheduling, I/O priority, CPUs, personality.
 * Parsing is pure; the others are for the calling process.
 */
#ifndef AGENT_TUNE_H
#define AGENT_TUNE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "spec.pb-c.h"

#define TUNE_AS_IT_IS (-1)

struct tune_scheduler {
	bool set;
	uint32_t policy, priority;
	int32_t nice;
	uint64_t flags, runtime, deadline, period;
};

struct tune {
	struct tune_scheduler scheduler;
	int ioprio; /* as ioprio_set(2) takes it, or TUNE_AS_IT_IS */
	/* Of an exec: while it is being made, and of the program. */
	bool has_initial, has_final;
	cpu_set_t initial, final;
};

/* -EINVAL, with one line that names the field of process. */
int tune_parse(const Spec__Process *process, struct tune *ret, struct err *err);
/* personality(2)'s value, or TUNE_AS_IT_IS where from is NULL. */
int tune_parse_personality(const Spec__Personality *from, int *ret, struct err *err);

/* The helper of an exec takes its CPUs. */
int tune_apply_initial(const struct tune *tune, struct err *err);
/* All else. Some of it wants CAP_SYS_NICE. */
int tune_apply(const struct tune *tune, int personality, struct err *err);

#endif
