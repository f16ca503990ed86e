/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 does before anything else, and last of all. */
#ifndef AGENT_EARLY_H
#define AGENT_EARLY_H

#include "common/err.h"

/* Makes the agent's own root and mounts the kernel's file systems in it. */
int early_mounts(struct err *err);
/* Limits, flags and dispositions that make this process hard to end and impossible to look into. */
int early_harden(struct err *err);
/* Ends every process, writes back what is dirty, and the machine is off. */
void early_power_off(void) __attribute__((noreturn));

#endif
