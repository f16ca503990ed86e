/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod on a network that somebody else has made: the one interface of a network namespace, as CNI
 * leaves it, joined to a tap for the VM.
 */
#ifndef SHIM_NET_JOIN_H
#define SHIM_NET_JOIN_H

#include "shim/netns.h"

/* What joining leaves in the namespace: a tap, which goes with its last descriptor, and this. */
struct net_joint {
	struct netns_id netns;
	int index; /* of the interface; 0: the namespace has none, nothing was done */
	uint32_t mtu;
};

/*
 * Makes a tap of queues queues in the namespace at path and joins it with the interface there. The
 * reply has the request for the agent (net_facts.h) and the tap's descriptors, all the caller's.
 */
int net_join(const char *path, unsigned queues, struct net_joint *ret, struct netns_reply *reply,
	     struct err *err);

/* Takes away from the namespace what net_join() put there, if it still is the one at path. -EBUSY while
 * a pod's tap is there. */
int net_part(const char *path, const struct net_joint *joint);

#endif
