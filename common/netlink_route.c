/* SPDX-License-Identifier: Apache-2.0 */
#include "common/netlink_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <string.h>

#include "common/cleanup.h"

#define REPLACE (NLM_F_CREATE | NLM_F_REPLACE)

/* --- requests ------------------------------------------------------------------------------- */

void net_encode_dump(struct nl_msg *msg, uint16_t what)
{
	/* The fixed parts differ in size only, and zero asks for everything in each. */
	const uint8_t zero[sizeof(struct ifinfomsg)] = {0};
	size_t size = what == RTM_GETADDR    ? sizeof(struct ifaddrmsg)
		      : what == RTM_GETROUTE ? sizeof(struct rtmsg)
		      : what == RTM_GETNEIGH ? sizeof(struct ndmsg)
					     : sizeof(struct ifinfomsg);

	nl_begin(msg, what, 0, zero, size);
}

void net_encode_dump_tc(struct nl_msg *msg, uint16_t what, int index, uint32_t parent)
{
	const struct tcmsg tc = {.tcm_ifindex = index, .tcm_parent = parent};

	nl_begin(msg, what, 0, &tc, sizeof(tc));
}

void net_encode_link(struct nl_msg *msg, int index, const struct net_link_change *change)
{
	struct ifinfomsg link = {.ifi_index = index};
	size_t spec, inet6;

	if (change->up)
		link.ifi_flags = link.ifi_change = IFF_UP;
	nl_begin(msg, RTM_NEWLINK, 0, &link, sizeof(link));
	if (change->name)
		nl_put_string(msg, IFLA_IFNAME, change->name);
	if (change->mac)
		nl_put(msg, IFLA_ADDRESS, change->mac, NET_MAC_SIZE);
	if (change->mtu)
		nl_put_u32(msg, IFLA_MTU, change->mtu);
	if (change->netns_pid)
		nl_put_u32(msg, IFLA_NET_NS_PID, (uint32_t)change->netns_pid);
	if (change->no_local) {
		spec = nl_nest(msg, IFLA_AF_SPEC);
		inet6 = nl_nest(msg, AF_INET6);
		nl_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		nl_nest_end(msg, inet6);
		nl_nest_end(msg, spec);
	}
}

static void put_ip(struct nl_msg *msg, uint16_t attr, const struct net_ip *ip)
{
	if (ip->family)
		nl_put(msg, attr, ip->bytes, net_ip_size(ip->family));
}

void net_encode_address(struct nl_msg *msg, const struct net_address *address)
{
	const struct ifaddrmsg fixed = {
		.ifa_family = address->ip.family,
		.ifa_prefixlen = address->prefix,
		.ifa_scope = address->scope,
		.ifa_index = (uint32_t)address->index,
	};

	nl_begin(msg, RTM_NEWADDR, REPLACE, &fixed, sizeof(fixed));
	put_ip(msg, IFA_LOCAL, &address->ip);
	put_ip(msg, IFA_ADDRESS, &address->ip);
	/* Whoever gave it out has seen to it that nobody else has it. */
	nl_put_u32(msg, IFA_FLAGS,
		   IFA_F_PERMANENT | IFA_F_NODAD |
			   (address->no_prefix_route ? IFA_F_NOPREFIXROUTE : 0));
}

static void put_metrics(struct nl_msg *msg, const uint32_t metrics[NET_METRICS])
{
	size_t nest = 0;

	for (uint16_t i = 0; i < NET_METRICS; i++) {
		if (metrics[i] && !nest)
			nest = nl_nest(msg, RTA_METRICS);
		if (metrics[i])
			nl_put_u32(msg, i + 1, metrics[i]);
	}
	if (nest)
		nl_nest_end(msg, nest);
}

void net_encode_route(struct nl_msg *msg, const struct net_route *route)
{
	const struct rtmsg fixed = {
		.rtm_family = route->to.family,
		.rtm_dst_len = route->prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = route->scope,
		.rtm_type = route->type,
		.rtm_flags = route->onlink ? RTNH_F_ONLINK : 0,
	};

	nl_begin(msg, RTM_NEWROUTE, REPLACE, &fixed, sizeof(fixed));
	if (route->prefix)
		put_ip(msg, RTA_DST, &route->to);
	put_ip(msg, RTA_GATEWAY, &route->gateway);
	put_ip(msg, RTA_PREFSRC, &route->source);
	if (route->index)
		nl_put_u32(msg, RTA_OIF, (uint32_t)route->index);
	if (route->metric)
		nl_put_u32(msg, RTA_PRIORITY, route->metric);
	put_metrics(msg, route->metrics);
}

void net_encode_neighbour(struct nl_msg *msg, const struct net_neighbour *neighbour)
{
	const struct ndmsg fixed = {
		.ndm_family = neighbour->ip.family,
		.ndm_ifindex = neighbour->index,
		.ndm_state = neighbour->has_mac ? neighbour->state : NUD_NONE,
		.ndm_flags = neighbour->has_mac ? 0 : NTF_USE,
	};

	nl_begin(msg, RTM_NEWNEIGH, REPLACE, &fixed, sizeof(fixed));
	put_ip(msg, NDA_DST, &neighbour->ip);
	if (neighbour->has_mac)
		nl_put(msg, NDA_LLADDR, neighbour->mac, NET_MAC_SIZE);
}

void net_encode_ingress(struct nl_msg *msg, uint16_t what, int index)
{
	const struct tcmsg tc = {
		.tcm_ifindex = index,
		.tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0),
		.tcm_parent = TC_H_INGRESS,
	};

	nl_begin(msg, what, what == RTM_NEWQDISC ? NLM_F_CREATE | NLM_F_EXCL : 0, &tc, sizeof(tc));
	nl_put_string(msg, TCA_KIND, "ingress");
}

void net_encode_redirect(struct nl_msg *msg, int from, int to)
{
	const struct tcmsg tc = {
		.tcm_ifindex = from,
		.tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0),
		.tcm_info = TC_H_MAKE((uint32_t)NET_REDIRECT_PRIORITY << 16, htons(ETH_P_ALL)),
	};
	const struct tc_mirred mirred = {
		.action = TC_ACT_STOLEN,
		.eaction = TCA_EGRESS_REDIR,
		.ifindex = (uint32_t)to,
	};
	size_t options, actions, first, parms;

	nl_begin(msg, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &tc, sizeof(tc));
	nl_put_string(msg, TCA_KIND, "matchall");
	options = nl_nest(msg, TCA_OPTIONS);
	actions = nl_nest(msg, TCA_MATCHALL_ACT);
	first = nl_nest(msg, 1); /* its place in the order of actions */
	nl_put_string(msg, TCA_ACT_KIND, "mirred");
	parms = nl_nest(msg, TCA_ACT_OPTIONS);
	nl_put(msg, TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	nl_nest_end(msg, parms);
	nl_nest_end(msg, first);
	nl_nest_end(msg, actions);
	nl_nest_end(msg, options);
}

/* --- answers -------------------------------------------------------------------------------- */

static int get_mac(const struct nl_attr *attr, uint8_t mac[NET_MAC_SIZE], bool *ret_has)
{
	/* Other kinds of links have addresses of other lengths, or empty ones. */
	*ret_has = attr->value.size == NET_MAC_SIZE;
	return *ret_has ? nl_get(attr, mac, NET_MAC_SIZE) : 0;
}

static int get_ip(const struct nl_attr *attr, uint8_t family, struct net_ip *ret)
{
	*ret = (struct net_ip){.family = family};
	return nl_get(attr, ret->bytes, net_ip_size(family));
}

static bool is_ip(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

static int link_attr(const struct nl_attr *attr, struct net_link *link)
{
	switch (attr->type) {
	case IFLA_IFNAME:
		nl_get_string(attr, link->name, sizeof(link->name));
		return 0;
	case IFLA_ADDRESS:
		return get_mac(attr, link->mac, &link->has_mac);
	case IFLA_PERM_ADDRESS:
		return get_mac(attr, link->permanent, &link->has_permanent);
	case IFLA_MTU:
		return nl_get_u32(attr, &link->mtu);
	default:
		return 0;
	}
}

int net_decode_link(const struct nl_message *message, struct net_link *ret)
{
	struct bytes body = message->body;
	struct ifinfomsg fixed;
	struct nl_attr attr;
	int r;

	if (message->type != RTM_NEWLINK)
		return 0;
	r = nl_take_fixed(&body, &fixed, sizeof(fixed));
	if (r < 0)
		return r;
	*ret = (struct net_link){
		.index = fixed.ifi_index, .type = fixed.ifi_type, .flags = fixed.ifi_flags};
	while ((r = nl_next_attr(&body, &attr)) > 0) {
		r = link_attr(&attr, ret);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 1;
}

int net_decode_address(const struct nl_message *message, struct net_address *ret)
{
	struct bytes body = message->body;
	struct ifaddrmsg fixed;
	bool local = false;
	struct nl_attr attr;
	int r;

	if (message->type != RTM_NEWADDR)
		return 0;
	r = nl_take_fixed(&body, &fixed, sizeof(fixed));
	if (r < 0)
		return r;
	if (!is_ip(fixed.ifa_family))
		return 0;
	*ret = (struct net_address){.index = (int)fixed.ifa_index,
				    .prefix = fixed.ifa_prefixlen,
				    .scope = fixed.ifa_scope};
	while ((r = nl_next_attr(&body, &attr)) > 0) {
		/* Of a point-to-point link IFA_ADDRESS is the other end. */
		if (attr.type == IFA_LOCAL || (attr.type == IFA_ADDRESS && !local))
			r = get_ip(&attr, fixed.ifa_family, &ret->ip);
		if (r < 0)
			return r;
		local |= attr.type == IFA_LOCAL;
	}
	if (r == 0 && !ret->ip.family)
		return -EPROTO;
	return r < 0 ? r : 1;
}

/* Numbers all but one, which names a congestion control that the guest may not have. */
static int get_metrics(const struct nl_attr *attr, struct net_route *route)
{
	struct bytes in = attr->value;
	struct nl_attr metric;
	int r;

	while ((r = nl_next_attr(&in, &metric)) > 0) {
		if (metric.type == RTAX_CC_ALGO || metric.type < 1 || metric.type > NET_METRICS)
			route->beyond = true;
		else
			r = nl_get_u32(&metric, &route->metrics[metric.type - 1]);
		if (r < 0)
			return r;
	}
	return r;
}

static int route_attr(const struct nl_attr *attr, struct net_route *route)
{
	uint32_t value = 0;
	int r;

	switch (attr->type) {
	case RTA_DST:
		return get_ip(attr, route->to.family, &route->to);
	case RTA_GATEWAY:
		return get_ip(attr, route->to.family, &route->gateway);
	case RTA_PREFSRC:
		return get_ip(attr, route->to.family, &route->source);
	case RTA_OIF:
		r = nl_get_u32(attr, &value);
		route->index = (int)value;
		return r;
	case RTA_PRIORITY:
		return nl_get_u32(attr, &route->metric);
	case RTA_TABLE:
		return nl_get_u32(attr, &route->table);
	case RTA_METRICS:
		return get_metrics(attr, route);
	case RTA_MULTIPATH:
	case RTA_VIA:
	case RTA_ENCAP:
		route->beyond = true;
		return 0;
	default:
		return 0;
	}
}

int net_decode_route(const struct nl_message *message, struct net_route *ret)
{
	struct bytes body = message->body;
	struct nl_attr attr;
	struct rtmsg fixed;
	int r;

	if (message->type != RTM_NEWROUTE)
		return 0;
	r = nl_take_fixed(&body, &fixed, sizeof(fixed));
	if (r < 0)
		return r;
	if (!is_ip(fixed.rtm_family) || (fixed.rtm_flags & RTM_F_CLONED))
		return 0;
	*ret = (struct net_route){
		.to.family = fixed.rtm_family,
		.prefix = fixed.rtm_dst_len,
		.scope = fixed.rtm_scope,
		.type = fixed.rtm_type,
		.protocol = fixed.rtm_protocol,
		.table = fixed.rtm_table,
		.onlink = fixed.rtm_flags & RTNH_F_ONLINK,
		.beyond = fixed.rtm_src_len || fixed.rtm_tos,
	};
	while ((r = nl_next_attr(&body, &attr)) > 0) {
		r = route_attr(&attr, ret);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 1;
}

int net_decode_neighbour(const struct nl_message *message, struct net_neighbour *ret)
{
	struct bytes body = message->body;
	struct nl_attr attr;
	struct ndmsg fixed;
	int r;

	if (message->type != RTM_NEWNEIGH)
		return 0;
	r = nl_take_fixed(&body, &fixed, sizeof(fixed));
	if (r < 0)
		return r;
	if (!is_ip(fixed.ndm_family))
		return 0;
	*ret = (struct net_neighbour){.index = fixed.ndm_ifindex, .state = fixed.ndm_state};
	while ((r = nl_next_attr(&body, &attr)) > 0) {
		if (attr.type == NDA_DST)
			r = get_ip(&attr, fixed.ndm_family, &ret->ip);
		else if (attr.type == NDA_LLADDR)
			r = get_mac(&attr, ret->mac, &ret->has_mac);
		if (r < 0)
			return r;
	}
	if (r == 0 && !ret->ip.family)
		return -EPROTO;
	return r < 0 ? r : 1;
}

int net_decode_filter(const struct nl_message *message, uint16_t *ret_priority)
{
	struct bytes body = message->body;
	struct tcmsg fixed;
	int r;

	if (message->type != RTM_NEWTFILTER)
		return 0;
	r = nl_take_fixed(&body, &fixed, sizeof(fixed));
	if (r < 0)
		return r;
	*ret_priority = (uint16_t)(TC_H_MAJ(fixed.tcm_info) >> 16);
	return 1;
}
