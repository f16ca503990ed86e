/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process's program is: argv[0] in its PATH, as execvpe(3) would look. */
#ifndef AGENT_PROGRAM_H
#define AGENT_PROGRAM_H

#include "agent/plan.h"

/* Becomes it, and returns only where that fails: an errno, EACCES rather than ENOENT where both are true. */
int program_exec(const struct process_plan *process);
/*
 * Looks whether there is one, from inside the container's root: 0, or -ENOENT or -EACCES with what
 * runc says of it. Whether the process's user may run it, and what it is, shows when it is run.
 */
int program_find(const struct process_plan *process, struct err *err);
/* Sets err to what engines understand of code, an errno; suffix ends the text. Returns -code. */
int program_err(struct err *err, const struct process_plan *process, int code, const char *suffix);

#endif
