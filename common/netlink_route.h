/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses, routes, neighbours and traffic control, to and from rtnetlink messages. Pure.
 * What a dump holds is judged as any input: a decoder answers 1 with *ret filled, 0 for a message
 * that is none of its kind, -EPROTO.
 */
#ifndef COMMON_NETLINK_ROUTE_H
#define COMMON_NETLINK_ROUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/netlink.h"

#define NET_NAME_SIZE 16 /* IFNAMSIZ */
#define NET_MAC_SIZE  6

struct net_ip {
	uint8_t family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
};

static inline unsigned net_ip_size(uint8_t family)
{
	return family == 2 /* AF_INET */ ? 4 : 16;
}

struct net_link {
	int index;
	uint16_t type;  /* ARPHRD_ETHER ... */
	uint32_t flags; /* IFF_UP ... */
	uint32_t mtu;
	char name[NET_NAME_SIZE];
	bool has_mac, has_permanent;
	uint8_t mac[NET_MAC_SIZE], permanent[NET_MAC_SIZE];
};

struct net_address {
	int index; /* of the link */
	struct net_ip ip;
	uint8_t prefix, scope;
	bool no_prefix_route; /* the kernel makes none of it (IFA_F_NOPREFIXROUTE) */
};

#define NET_METRICS 17 /* RTAX_FASTOPEN_NO_COOKIE */

struct net_route {
	int index; /* of the link; 0: none */
	struct net_ip gateway, source;
	struct net_ip to; /* its family is the route's, also with prefix 0 */
	uint8_t prefix, scope, type, protocol;
	uint32_t table, metric;
	uint32_t metrics[NET_METRICS]; /* RTAX_MTU ..., each one before its number; 0: none */
	bool onlink;
	bool beyond; /* it says what this struct cannot, as several next hops */
};

struct net_neighbour {
	int index;
	struct net_ip ip;
	bool has_mac;
	uint8_t mac[NET_MAC_SIZE];
	uint16_t state; /* NUD_PERMANENT ... */
};

/* --- requests ------------------------------------------------------------------------------- */

/* All links, addresses, routes, neighbours (what is an RTM_GET type). */
void net_encode_dump(struct nl_msg *msg, uint16_t what);
/* Of one link: its traffic control filters below parent, or its queueing disciplines. */
void net_encode_dump_tc(struct nl_msg *msg, uint16_t what, int index, uint32_t parent);

/* What a link is to become; nothing else of it changes. */
struct net_link_change {
	const char *name;   /* NULL: stays */
	const uint8_t *mac; /* NULL: stays */
	uint32_t mtu;       /* 0: stays */
	pid_t netns_pid;    /* moves to the network namespace of that process; 0: stays */
	bool up;
	bool no_local; /* the kernel gives it no IPv6 address of its own making */
};
void net_encode_link(struct nl_msg *msg, int index, const struct net_link_change *change);

void net_encode_address(struct nl_msg *msg, const struct net_address *address);
void net_encode_route(struct nl_msg *msg, const struct net_route *route);
/* One without an address is asked for it at once. */
void net_encode_neighbour(struct nl_msg *msg, const struct net_neighbour *neighbour);

/* The ingress queueing discipline of a link: RTM_NEWQDISC, RTM_DELQDISC. */
void net_encode_ingress(struct nl_msg *msg, uint16_t what, int index);
/* Whatever comes in on link from leaves by link to: a filter of from's ingress. */
void net_encode_redirect(struct nl_msg *msg, int from, int to);
#define NET_REDIRECT_PRIORITY 0x7362 /* by which ours are known */

/* --- answers -------------------------------------------------------------------------------- */

int net_decode_link(const struct nl_message *message, struct net_link *ret);
int net_decode_address(const struct nl_message *message, struct net_address *ret);
int net_decode_route(const struct nl_message *message, struct net_route *ret);
int net_decode_neighbour(const struct nl_message *message, struct net_neighbour *ret);
/* A filter: its priority. */
int net_decode_filter(const struct nl_message *message, uint16_t *ret_priority);

#endif
