/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces of the calling process's network namespace: the pod's, in the agent. */
#ifndef AGENT_NET_H
#define AGENT_NET_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent.pb-c.h"
#include "common/err.h"

/* 0 or -errno. */
int net_loopback_up(void);

/*
 * Makes the interfaces of the request what it says, up to their being up. -EINVAL, before anything is
 * changed, where the request is malformed; -ENODEV where there is no such slot.
 */
int net_apply(const Agent__UpdateNetworkRequest *request, struct err *err);

/* Moves the interfaces of the request to the network namespace of pid. 0 or -errno, -ENODEV as above. */
int net_move(const Agent__UpdateNetworkRequest *request, pid_t pid);

/*
 * Whether the links of all of the request's interfaces have come up; 1, 0 or -errno. netlink: a route
 * socket of their network namespace.
 */
int net_is_up(int netlink, const Agent__UpdateNetworkRequest *request);

/* A socket that becomes readable whenever a link changes. Returns the fd. */
int net_watch(void);

#endif
