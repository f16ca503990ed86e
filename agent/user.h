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

/*
 * The calling process's real, effective and saved ids and its groups. By the system calls: the C library's
 * functions would have every thread do it, and wait for those of the agent's relays, which a clone of it knows
 * of but does not have.
 */
int user_become(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, struct err *err);

#endif
