/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/net_facts.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* --- from dumps ----------------------------------------------------------------------------- */

static int check_kind(const struct net_link *link, struct err *err)
{
	if (link->type != ARPHRD_ETHER || !link->has_mac)
		return err_set(err, EINVAL, "network: interface %s is no Ethernet interface",
			       link->name);
	if (link->mtu < 68 || link->mtu > 65535)
		return err_set(err, EINVAL, "network: interface %s has an MTU of %u", link->name,
			       link->mtu);
	return 1;
}

int net_facts_link(struct net_facts *facts, const struct nl_message *message, struct err *err)
{
	struct net_link link;
	int r = net_decode_link(message, &link);

	if (r <= 0)
		return r;
	if (strncmp(link.name, NET_TAP_NAME, strlen(NET_TAP_NAME)) == 0) {
		facts->taken = true;
		return 0;
	}
	/* Interfaces that kernel modules leave in every namespace, as tunl0, are down. */
	if ((link.flags & IFF_LOOPBACK) || !(link.flags & IFF_UP))
		return 0;
	if (facts->link.index)
		return err_set(err, EINVAL,
			       "network: a second interface, %s beside %s: not supported",
			       link.name, facts->link.name);
	r = check_kind(&link, err);
	if (r > 0)
		facts->link = link;
	return r;
}

int net_facts_address(struct net_facts *facts, const struct nl_message *message, struct err *err)
{
	struct net_address address;
	int r = net_decode_address(message, &address);

	if (r <= 0 || address.index != facts->link.index)
		return r < 0 ? r : 0;
	if (facts->n_addresses == NET_MAX_ADDRESSES)
		return err_set(err, E2BIG, "network: more than %d addresses", NET_MAX_ADDRESSES);
	/* Until its route is seen. An address alone has none. */
	address.no_prefix_route = address.prefix < 8 * net_ip_size(address.ip.family);
	facts->addresses[facts->n_addresses++] = address;
	return 1;
}

/* Through the interface, or with none, as an unreachable route; not what addresses bring along. */
static bool is_wanted(const struct net_facts *facts, const struct net_route *route)
{
	if (route->table != RT_TABLE_MAIN || route->protocol == RTPROT_KERNEL)
		return false;
	if (route->type == RTN_UNICAST)
		return route->index == facts->link.index || route->beyond;
	return route->type == RTN_BLACKHOLE || route->type == RTN_UNREACHABLE ||
	       route->type == RTN_PROHIBIT;
}

/* Whether to is the network that address is in. */
static bool is_network_of(const struct net_address *address, const struct net_route *route)
{
	unsigned whole = route->prefix / 8, rest = route->prefix % 8;
	const uint8_t *a = address->ip.bytes, *b = route->to.bytes;

	if (address->ip.family != route->to.family || address->prefix != route->prefix ||
	    memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/*
 * The kernel makes a route of each address, and so does the guest's. Who has deleted it here, as CNI's ptp, where
 * all of the network is behind a gateway, does not want it there.
 */
static void mark_connected(struct net_facts *facts, const struct net_route *route)
{
	if (route->table != RT_TABLE_MAIN || route->protocol != RTPROT_KERNEL ||
	    route->type != RTN_UNICAST || route->index != facts->link.index)
		return;
	for (size_t i = 0; i < facts->n_addresses; i++)
		if (is_network_of(&facts->addresses[i], route))
			facts->addresses[i].no_prefix_route = false;
}

int net_facts_route(struct net_facts *facts, const struct nl_message *message, struct err *err)
{
	struct net_route route;
	int r = net_decode_route(message, &route);

	if (r > 0)
		mark_connected(facts, &route);
	if (r <= 0 || !is_wanted(facts, &route))
		return r < 0 ? r : 0;
	if (route.beyond)
		return err_set(err, EINVAL,
			       "network: a route with several next hops, a source prefix, an "
			       "encapsulation or a congestion control: not supported");
	if (facts->n_routes == NET_MAX_ROUTES)
		return err_set(err, E2BIG, "network: more than %d routes", NET_MAX_ROUTES);
	/* An IPv6 route without an interface of its own shows lo's. */
	if (route.type != RTN_UNICAST)
		route.index = 0;
	facts->routes[facts->n_routes++] = route;
	return 1;
}

int net_facts_neighbour(struct net_facts *facts, const struct nl_message *message, struct err *err)
{
	struct net_neighbour neighbour;
	int r = net_decode_neighbour(message, &neighbour);

	/* The guest learns the others itself. */
	if (r <= 0 || neighbour.index != facts->link.index || !neighbour.has_mac ||
	    !(neighbour.state & NUD_PERMANENT))
		return r < 0 ? r : 0;
	if (facts->n_neighbours == NET_MAX_NEIGHBOURS)
		return err_set(err, E2BIG, "network: more than %d neighbours", NET_MAX_NEIGHBOURS);
	facts->neighbours[facts->n_neighbours++] = neighbour;
	return 1;
}

/* --- to the request ------------------------------------------------------------------------- */

struct packing {
	Agent__UpdateNetworkRequest request;
	Agent__NetInterface interface;
	Agent__NetAddress addresses[NET_MAX_ADDRESSES];
	Agent__NetRoute routes[NET_MAX_ROUTES];
	Agent__NetNeighbour neighbours[NET_MAX_NEIGHBOURS];
	Agent__NetInterface *interface_list[1];
	Agent__NetAddress *address_list[NET_MAX_ADDRESSES];
	Agent__NetRoute *route_list[NET_MAX_ROUTES];
	Agent__NetNeighbour *neighbour_list[NET_MAX_NEIGHBOURS];
};

/* protobuf-c's structs know no const; packing only reads. */
static ProtobufCBinaryData bytes_field(const uint8_t *data, size_t size)
{
	return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)data};
}

static ProtobufCBinaryData ip_field(const struct net_ip *ip)
{
	return bytes_field(ip->bytes, ip->family ? net_ip_size(ip->family) : 0);
}

static void add_interface(struct packing *p, const struct net_facts *facts, unsigned slot)
{
	Agent__NetInterface *to = &p->interface;

	agent__net_interface__init(to);
	to->slot = slot;
	to->name = (char *)(uintptr_t)facts->link.name;
	to->mac = bytes_field(facts->link.mac, NET_MAC_SIZE);
	to->mtu = facts->link.mtu;
	to->n_addresses = facts->n_addresses;
	to->addresses = p->address_list;
	for (size_t i = 0; i < facts->n_addresses; i++) {
		agent__net_address__init(p->address_list[i] = &p->addresses[i]);
		p->addresses[i].address = ip_field(&facts->addresses[i].ip);
		p->addresses[i].prefix = facts->addresses[i].prefix;
		p->addresses[i].scope = facts->addresses[i].scope;
		p->addresses[i].no_prefix_route = facts->addresses[i].no_prefix_route;
	}
	p->request.interfaces = p->interface_list;
	p->request.n_interfaces = 1;
	p->interface_list[0] = to;
}

static void add_route(Agent__NetRoute *to, const struct net_route *from, unsigned slot)
{
	agent__net_route__init(to);
	to->family = net_ip_size(from->to.family) == 4 ? 4 : 6;
	if (from->prefix)
		to->destination = ip_field(&from->to);
	to->prefix = from->prefix;
	to->gateway = ip_field(&from->gateway);
	to->source = ip_field(&from->source);
	to->scope = from->scope;
	to->type = from->type;
	to->metric = from->metric;
	to->onlink = from->onlink;
	to->device = from->index != 0;
	to->metrics = (uint32_t *)(uintptr_t)from->metrics;
	for (size_t i = 0; i < NET_METRICS; i++)
		if (from->metrics[i])
			to->n_metrics = i + 1;
	to->slot = slot;
}

int net_facts_pack(const struct net_facts *facts, unsigned slot, void *buf, size_t size)
{
	_cleanup_free_ struct packing *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	agent__update_network_request__init(&p->request);
	add_interface(p, facts, slot);
	p->request.n_routes = facts->n_routes;
	p->request.routes = p->route_list;
	for (size_t i = 0; i < facts->n_routes; i++)
		add_route(p->route_list[i] = &p->routes[i], &facts->routes[i], slot);
	p->request.n_neighbours = facts->n_neighbours;
	p->request.neighbours = p->neighbour_list;
	for (size_t i = 0; i < facts->n_neighbours; i++) {
		agent__net_neighbour__init(p->neighbour_list[i] = &p->neighbours[i]);
		p->neighbours[i].slot = slot;
		p->neighbours[i].address = ip_field(&facts->neighbours[i].ip);
		p->neighbours[i].mac = bytes_field(facts->neighbours[i].mac,
						   facts->neighbours[i].has_mac ? NET_MAC_SIZE : 0);
	}
	if (protobuf_c_message_get_packed_size(&p->request.base) > size)
		return -EMSGSIZE;
	return (int)protobuf_c_message_pack(&p->request.base, buf);
}
