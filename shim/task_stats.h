/* SPDX-License-Identifier: Apache-2.0 */
/* From the agent's numbers to the metrics message that containerd expects on this host. */
#ifndef SHIM_TASK_STATS_H
#define SHIM_TASK_STATS_H

#include <stdbool.h>

#include "agent.pb-c.h"

struct rpc_call;

/* The metrics message as ret, whose value is the caller's to free. legacy: the form for cgroup v1. */
int task_stats_pack(const Agent__StatsResponse *stats, bool legacy, Google__Any *ret);

/* Answers a Task.Stats with it. */
void task_stats_reply(struct rpc_call *call, const Agent__StatsResponse *stats, bool legacy);

/* Whether this host's cgroups are v1 or hybrid, so that clients expect the legacy form. */
bool task_stats_legacy(void);

#endif
