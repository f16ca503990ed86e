/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is to be: the plan's numbers, or a name looked up in the container's own files. */
#ifndef AGENT_USER_H
#define AGENT_USER_H

#include "agent/passwd.h"
#include "agent/plan.h"
#include "common/err.h"

/*
 * Fills *ret for process, reading etc/passwd and etc/group beneath root_fd. home is set, to "/" at
 * least, where the process has no HOME yet.
 */
int user_lookup(const struct process_plan *process, int root_fd, struct passwd_user *ret,
		struct err *err);

#endif
