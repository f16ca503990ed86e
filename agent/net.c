/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the interface of net slot N is the one whose permanent address is the slot's
 * (common/slots.h); its name and place in the list say nothing. It is there from boot on, without a
 * link, and can be configured at any time. Order: what can only change while it is down (name,
 * address), offloads, up, then addresses, routes that need no other route, the other routes,
 * neighbours. Everything replaces what may be there from an earlier request.
 */
#include "agent/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/netlink_route.h"
#include "common/path.h"
#include "common/slots.h"

int net_loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

/* --- finding it ----------------------------------------------------------------------------- */

struct search {
	uint8_t mac[NET_MAC_SIZE];
	struct net_link *found;
};

static int match_link(const struct nl_message *message, void *data)
{
	struct search *search = data;
	struct net_link link;
	int r = net_decode_link(message, &link);

	if (r > 0 && link.has_permanent && !memcmp(link.permanent, search->mac, NET_MAC_SIZE))
		*search->found = link;
	return r;
}

static int find_slot(int netlink, uint32_t slot, struct net_link *ret)
{
	struct search search = {.mac = NET_SLOT_MAC((uint8_t)slot), .found = ret};
	struct nl_msg msg;
	int r;

	*ret = (struct net_link){0};
	net_encode_dump(&msg, RTM_GETLINK);
	r = nl_dump(netlink, &msg, match_link, &search);
	if (r < 0)
		return r;
	return ret->index ? 0 : -ENODEV;
}

/* --- judging the request -------------------------------------------------------------------- */

static int to_ip(const ProtobufCBinaryData *from, struct net_ip *ret)
{
	*ret = (struct net_ip){0};
	if (from->len != 0 && from->len != 4 && from->len != 16)
		return -EINVAL;
	if (from->len)
		ret->family = from->len == 4 ? AF_INET : AF_INET6;
	memcpy(ret->bytes, from->data, from->len);
	return 0;
}

static bool is_prefix(uint32_t prefix, uint8_t family)
{
	return prefix <= 8 * net_ip_size(family);
}

static int to_address(const Agent__NetAddress *from, int index, struct net_address *ret)
{
	*ret = (struct net_address){
		.index = index,
		.prefix = (uint8_t)from->prefix,
		.scope = (uint8_t)from->scope,
		.no_prefix_route = from->no_prefix_route,
	};
	if (to_ip(&from->address, &ret->ip) < 0 || !ret->ip.family ||
	    !is_prefix(from->prefix, ret->ip.family) || from->scope > UINT8_MAX)
		return -EINVAL;
	return 0;
}

static int to_route(const Agent__NetRoute *from, int index, struct net_route *ret)
{
	uint8_t family = from->family == 4 ? AF_INET : AF_INET6;

	*ret = (struct net_route){
		.index = from->device ? index : 0,
		.prefix = (uint8_t)from->prefix,
		.scope = (uint8_t)from->scope,
		.type = (uint8_t)from->type,
		.metric = from->metric,
		.onlink = from->onlink,
	};
	if ((from->family != 4 && from->family != 6) || !is_prefix(from->prefix, family) ||
	    from->scope > UINT8_MAX || from->type > UINT8_MAX ||
	    to_ip(&from->destination, &ret->to) < 0 || to_ip(&from->gateway, &ret->gateway) < 0 ||
	    to_ip(&from->source, &ret->source) < 0)
		return -EINVAL;
	if ((ret->to.family && ret->to.family != family) || (from->prefix && !ret->to.family) ||
	    (ret->gateway.family && ret->gateway.family != family) ||
	    (ret->source.family && ret->source.family != family))
		return -EINVAL;
	ret->to.family = family;
	if (from->n_metrics > NET_METRICS)
		return -EINVAL;
	for (size_t i = 0; i < from->n_metrics; i++)
		ret->metrics[i] = from->metrics[i];
	return 0;
}

static int to_neighbour(const Agent__NetNeighbour *from, int index, struct net_neighbour *ret)
{
	*ret = (struct net_neighbour){
		.index = index, .state = NUD_PERMANENT, .has_mac = from->mac.len != 0};
	if (to_ip(&from->address, &ret->ip) < 0 || !ret->ip.family ||
	    (ret->has_mac && from->mac.len != NET_MAC_SIZE))
		return -EINVAL;
	memcpy(ret->mac, from->mac.data, from->mac.len);
	return 0;
}

static bool is_name(const char *name)
{
	return path_is_name(name) && strlen(name) < NET_NAME_SIZE && !strpbrk(name, ": \t\n%");
}

static int check(const Agent__UpdateNetworkRequest *request, struct err *err)
{
	struct net_address address;
	struct net_route route;
	struct net_neighbour neighbour;

	for (size_t i = 0; i < request->n_interfaces; i++) {
		const Agent__NetInterface *from = request->interfaces[i];

		if (!is_name(from->name) || (from->mac.len && from->mac.len != NET_MAC_SIZE) ||
		    from->mtu < 68 || from->mtu > 65535)
			return err_set(err, EINVAL, "network: interface %zu is malformed", i);
		for (size_t k = 0; k < from->n_addresses; k++)
			if (to_address(from->addresses[k], 1, &address) < 0)
				return err_set(err, EINVAL, "network: address %zu is malformed", k);
	}
	for (size_t i = 0; i < request->n_routes; i++)
		if (to_route(request->routes[i], 1, &route) < 0)
			return err_set(err, EINVAL, "network: route %zu is malformed", i);
	for (size_t i = 0; i < request->n_neighbours; i++)
		if (to_neighbour(request->neighbours[i], 1, &neighbour) < 0)
			return err_set(err, EINVAL, "network: neighbour %zu is malformed", i);
	return 0;
}

/* --- making it so --------------------------------------------------------------------------- */

/* Without checksums the kernel makes no large segments either. */
static int stop_offload(const char *name)
{
	struct ethtool_value value = {.cmd = ETHTOOL_STXCSUM};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_data = (void *)&value};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0)
		return -errno;
	/* A device that has none has none to stop. */
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 && errno != EOPNOTSUPP ? -errno : 0;
}

/* Addresses and routes are the host's to give; the guest asks no router. */
static void ignore_routers(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", name);
	io_write_value(AT_FDCWD, path, "0");
}

static bool has_local(const Agent__NetInterface *from)
{
	for (size_t i = 0; i < from->n_addresses; i++)
		if (from->addresses[i]->address.len == 16 &&
		    from->addresses[i]->scope == RT_SCOPE_LINK)
			return true;
	return false;
}

static int apply_link(int netlink, const Agent__NetInterface *from, const struct net_link *link)
{
	struct net_link_change change = {
		.name = strcmp(from->name, link->name) ? from->name : NULL,
		.mac = from->mac.len ? from->mac.data : NULL,
		.mtu = from->mtu,
		.no_local = has_local(from),
	};
	struct nl_msg msg;
	int r;

	net_encode_link(&msg, link->index, &change);
	r = nl_request(netlink, &msg);
	if (r >= 0 && from->no_offload)
		r = stop_offload(from->name);
	if (r < 0)
		return r;
	ignore_routers(from->name);
	net_encode_link(&msg, link->index, &(struct net_link_change){.up = true});
	return nl_request(netlink, &msg);
}

static int apply_interface(int netlink, const Agent__NetInterface *from, struct err *err)
{
	struct net_address address;
	struct net_link link;
	struct nl_msg msg;
	int r = find_slot(netlink, from->slot, &link);

	if (r < 0)
		return err_set_errno(err, -r, "network: slot %u", from->slot);
	r = apply_link(netlink, from, &link);
	if (r < 0)
		return err_set_errno(err, -r, "network: setting up %s", from->name);
	for (size_t i = 0; i < from->n_addresses && r >= 0; i++) {
		r = to_address(from->addresses[i], link.index, &address);
		net_encode_address(&msg, &address);
		if (r >= 0)
			r = nl_request(netlink, &msg);
	}
	return r < 0 ? err_set_errno(err, -r, "network: an address of %s", from->name) : 0;
}

/*
 * A host keeps a route whose gateway it cannot reach any more, as the route to that was deleted after it; nobody
 * takes a new one. It is to be on the link, then.
 */
static int add_route(int netlink, struct net_route *route)
{
	struct nl_msg msg;
	int r;

	net_encode_route(&msg, route);
	r = nl_request(netlink, &msg);
	if ((r != -ENETUNREACH && r != -EHOSTUNREACH) || !route->gateway.family || !route->index)
		return r;
	route->onlink = true;
	net_encode_route(&msg, route);
	return nl_request(netlink, &msg);
}

/* A gateway must be reachable before a route goes through it. */
static int apply_routes(int netlink, const Agent__UpdateNetworkRequest *request, bool gateways,
			struct err *err)
{
	for (size_t i = 0; i < request->n_routes; i++) {
		const Agent__NetRoute *from = request->routes[i];
		struct net_link link;
		struct net_route route;
		int r;

		if (!!from->gateway.len != gateways)
			continue;
		r = find_slot(netlink, from->slot, &link);
		if (r >= 0)
			r = to_route(from, link.index, &route);
		if (r >= 0)
			r = add_route(netlink, &route);
		if (r < 0)
			return err_set_errno(err, -r, "network: route %zu", i);
	}
	return 0;
}

static int apply_neighbours(int netlink, const Agent__UpdateNetworkRequest *request,
			    struct err *err)
{
	for (size_t i = 0; i < request->n_neighbours; i++) {
		const Agent__NetNeighbour *from = request->neighbours[i];
		struct net_neighbour neighbour;
		struct net_link link;
		struct nl_msg msg;
		int r = find_slot(netlink, from->slot, &link);

		if (r >= 0)
			r = to_neighbour(from, link.index, &neighbour);
		if (r >= 0) {
			net_encode_neighbour(&msg, &neighbour);
			r = nl_request(netlink, &msg);
		}
		if (r < 0)
			return err_set_errno(err, -r, "network: neighbour %zu", i);
	}
	return 0;
}

int net_apply(const Agent__UpdateNetworkRequest *request, struct err *err)
{
	_cleanup_close_ int netlink = -1;
	int r = check(request, err);

	if (r < 0)
		return r;
	netlink = nl_open();
	if (netlink < 0)
		return err_set_errno(err, -netlink, "network: netlink");
	for (size_t i = 0; i < request->n_interfaces && r >= 0; i++)
		r = apply_interface(netlink, request->interfaces[i], err);
	if (r >= 0)
		r = apply_routes(netlink, request, false, err);
	if (r >= 0)
		r = apply_routes(netlink, request, true, err);
	return r < 0 ? r : apply_neighbours(netlink, request, err);
}

int net_move(const Agent__UpdateNetworkRequest *request, pid_t pid)
{
	const struct net_link_change change = {.netns_pid = pid};
	_cleanup_close_ int netlink = nl_open();
	int r = netlink;

	for (size_t i = 0; i < request->n_interfaces && r >= 0; i++) {
		struct net_link link;
		struct nl_msg msg;

		r = find_slot(netlink, request->interfaces[i]->slot, &link);
		if (r < 0)
			break;
		net_encode_link(&msg, link.index, &change);
		r = nl_request(netlink, &msg);
	}
	return r < 0 ? r : 0;
}

/* --- its link ------------------------------------------------------------------------------- */

int net_is_up(int netlink, const Agent__UpdateNetworkRequest *request)
{
	for (size_t i = 0; i < request->n_interfaces; i++) {
		struct net_link link;
		int r = find_slot(netlink, request->interfaces[i]->slot, &link);

		if (r < 0)
			return r;
		/* RUNNING comes with the queueing discipline: from then on packets leave. */
		if (!(link.flags & IFF_LOWER_UP) || !(link.flags & IFF_RUNNING))
			return 0;
	}
	return 1;
}

int net_watch(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}
