/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network namespace says of its one interface, and the request that makes the guest's the
 * same. The facts come from rtnetlink dumps, message by message; see net_join.c for how.
 */
#ifndef SHIM_NET_FACTS_H
#define SHIM_NET_FACTS_H

#include <stddef.h>

#include "agent.pb-c.h"
#include "common/err.h"
#include "common/netlink_route.h"

#define NET_MAX_ADDRESSES  64
#define NET_MAX_ROUTES     256
#define NET_MAX_NEIGHBOURS 256

struct net_facts {
	struct net_link link; /* index 0: there is none */
	struct net_address addresses[NET_MAX_ADDRESSES];
	struct net_route routes[NET_MAX_ROUTES];
	struct net_neighbour neighbours[NET_MAX_NEIGHBOURS];
	size_t n_addresses, n_routes, n_neighbours;
	bool taken; /* a tap of ours is there already */
};

/*
 * Each takes one message of the dump of its kind. Links first: what is not of the interface found
 * then is passed over. Pure; err names what cannot be: a second interface, a kind of route.
 */
int net_facts_link(struct net_facts *facts, const struct nl_message *message, struct err *err);
int net_facts_address(struct net_facts *facts, const struct nl_message *message, struct err *err);
int net_facts_route(struct net_facts *facts, const struct nl_message *message, struct err *err);
int net_facts_neighbour(struct net_facts *facts, const struct nl_message *message, struct err *err);

/* The request as bytes, for slot. Pure. Returns its size; -ENOMEM, -EMSGSIZE. */
int net_facts_pack(const struct net_facts *facts, unsigned slot, void *buf, size_t size);

/* Taps of ours are called so, and a number. */
#define NET_TAP_NAME "sbxtap"

#endif
