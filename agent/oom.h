/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the host when the kernel has killed a container's process for want of memory. */
#ifndef AGENT_OOM_H
#define AGENT_OOM_H

#include <stdint.h>

#include "common/err.h"

struct loop;
struct oom_watch;
struct rpc_call;

/*
 * Answers call once the cgroup's count of such kills exceeds seen. *ret is the caller's to cancel
 * until then, and is NULL again afterwards; cgroup_fd stays the caller's and must outlive it.
 */
int oom_watch_begin(struct loop *loop, int cgroup_fd, uint64_t seen, struct rpc_call *call,
		    struct oom_watch **ret, struct err *err);
/* Answers the call now if there is something to tell. NULL is a no-op here and below. */
void oom_watch_look(struct oom_watch *watch);
/* The same, or else fails the call with -ECANCELED. */
void oom_watch_cancel(struct oom_watch *watch);

#endif
