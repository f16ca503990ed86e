/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/net_facts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct net_facts facts;
static struct err err;

static void setup(void)
{
	memset(&facts, 0, sizeof(facts));
	err = (struct err)ERR_INIT;
}

TestSuite(net_facts, .init = setup);

/* A request is a message too: what we build is what we would be told. */
static struct nl_message view(struct nl_msg *msg)
{
	struct bytes in = bytes_of(msg->buf, msg->len);
	struct nl_message message;

	cr_assert_eq(nl_next(&in, &message), 1);
	return message;
}

static int add_link(const char *name, int index, uint16_t type, uint32_t flags, uint32_t mtu)
{
	const struct ifinfomsg fixed = {.ifi_index = index, .ifi_type = type, .ifi_flags = flags};
	static const uint8_t mac[] = {2, 4, 6, 8, 10, 12};
	struct nl_message message;
	struct nl_msg msg;

	nl_begin(&msg, RTM_NEWLINK, 0, &fixed, sizeof(fixed));
	nl_put_string(&msg, IFLA_IFNAME, name);
	nl_put(&msg, IFLA_ADDRESS, mac, sizeof(mac));
	nl_put_u32(&msg, IFLA_MTU, mtu);
	message = view(&msg);
	return net_facts_link(&facts, &message, &err);
}

static int add_address(int index, uint8_t last)
{
	const struct net_address address = {
		.index = index, .prefix = 24, .ip = {AF_INET, {10, 9, 0, last}}};
	struct nl_message message;
	struct nl_msg msg;

	net_encode_address(&msg, &address);
	message = view(&msg);
	return net_facts_address(&facts, &message, &err);
}

static int add_route(const struct net_route *route)
{
	struct nl_message message;
	struct nl_msg msg;

	net_encode_route(&msg, route);
	message = view(&msg);
	return net_facts_route(&facts, &message, &err);
}

Test(net_facts, the_one_interface_that_is_up)
{
	cr_expect_eq(add_link("lo", 1, ARPHRD_LOOPBACK, IFF_UP | IFF_LOOPBACK, 65536), 0);
	cr_expect_eq(add_link("tunl0", 2, ARPHRD_TUNNEL, 0, 1480), 0);
	cr_expect_eq(add_link("gretap0", 3, ARPHRD_ETHER, 0, 1480), 0);
	cr_expect_eq(facts.link.index, 0);
	cr_expect_eq(add_link("eth0", 4, ARPHRD_ETHER, IFF_UP, 1450), 1);
	cr_expect_eq(facts.link.index, 4);
	cr_expect_not(facts.taken);
	cr_expect_eq(add_link("sbxtap0", 5, ARPHRD_ETHER, IFF_UP, 1450), 0);
	cr_expect(facts.taken);
	cr_expect_eq(add_link("net1", 6, ARPHRD_ETHER, IFF_UP, 1450), -EINVAL);
	cr_expect_str_eq(err.msg, "network: a second interface, net1 beside eth0: not supported");
}

Test(net_facts, interfaces_that_cannot_be)
{
	cr_expect_eq(add_link("wg0", 2, ARPHRD_NONE, IFF_UP, 1420), -EINVAL);
	cr_expect_eq(add_link("eth0", 2, ARPHRD_ETHER, IFF_UP, 65536), -EINVAL);
	cr_expect_eq(add_link("eth0", 2, ARPHRD_ETHER, IFF_UP, 67), -EINVAL);
}

Test(net_facts, only_what_is_the_interfaces_own)
{
	struct net_route route = {.to.family = AF_INET, .index = 4, .type = RTN_UNICAST};

	add_link("eth0", 4, ARPHRD_ETHER, IFF_UP, 1500);
	cr_expect_eq(add_address(4, 2), 1);
	cr_expect_eq(add_address(1, 3), 0);
	cr_expect_eq(facts.n_addresses, 1);
	cr_expect_eq(add_route(&route), 1);
	route.index = 1;
	cr_expect_eq(add_route(&route), 0);
	route.index = 4;
	route.type = RTN_MULTICAST;
	cr_expect_eq(add_route(&route), 0);
	route.type = RTN_UNREACHABLE;
	cr_expect_eq(add_route(&route), 1);
	cr_expect_eq(facts.routes[1].index, 0);
}

/* What the kernel says of an address's own network, or does not. */
static int add_connected(uint8_t third, uint8_t prefix, int index)
{
	const struct rtmsg fixed = {
		.rtm_family = AF_INET,
		.rtm_dst_len = prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_KERNEL,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_message message;
	struct nl_msg msg;

	nl_begin(&msg, RTM_NEWROUTE, 0, &fixed, sizeof(fixed));
	nl_put(&msg, RTA_DST, (uint8_t[]){10, 9, third, 0}, 4);
	nl_put_u32(&msg, RTA_OIF, (uint32_t)index);
	message = view(&msg);
	return net_facts_route(&facts, &message, &err);
}

Test(net_facts, a_network_without_its_route)
{
	add_link("eth0", 4, ARPHRD_ETHER, IFF_UP, 1500);
	add_address(4, 2);
	cr_expect(facts.addresses[0].no_prefix_route);
	cr_expect_eq(add_connected(1, 24, 4), 0);
	cr_expect_eq(add_connected(0, 23, 4), 0);
	cr_expect_eq(add_connected(0, 24, 5), 0);
	cr_expect(facts.addresses[0].no_prefix_route);
	cr_expect_eq(add_connected(0, 24, 4), 0);
	cr_expect_not(facts.addresses[0].no_prefix_route);
	cr_expect_eq(facts.n_routes, 0);
}

Test(net_facts, there_is_an_end_to_everything)
{
	const struct net_route route = {.to.family = AF_INET, .index = 4, .type = RTN_UNICAST};
	int r = 1;

	add_link("eth0", 4, ARPHRD_ETHER, IFF_UP, 1500);
	for (unsigned i = 0; r > 0 && i <= NET_MAX_ADDRESSES; i++)
		r = add_address(4, (uint8_t)i);
	cr_expect_eq(r, -E2BIG);
	r = 1;
	for (unsigned i = 0; r > 0 && i <= NET_MAX_ROUTES; i++)
		r = add_route(&route);
	cr_expect_eq(r, -E2BIG);
}

Test(net_facts, packed_and_read_again)
{
	const struct net_route route = {
		.to = {AF_INET, {10, 8}},
		.prefix = 16,
		.index = 4,
		.gateway = {AF_INET, {10, 9, 0, 1}},
		.metric = 7,
		.metrics = {[RTAX_MTU - 1] = 1400, [RTAX_ADVMSS - 1] = 1360},
		.type = RTN_UNICAST,
	};
	Agent__UpdateNetworkRequest *got;
	uint8_t buf[4096];
	int n;

	add_link("eth0", 4, ARPHRD_ETHER, IFF_UP, 1450);
	add_address(4, 2);
	add_route(&route);
	cr_expect_eq(net_facts_pack(&facts, 0, buf, 16), -EMSGSIZE);
	n = net_facts_pack(&facts, 0, buf, sizeof(buf));
	cr_assert_gt(n, 0);
	got = (Agent__UpdateNetworkRequest *)protobuf_c_message_unpack(
		&agent__update_network_request__descriptor, NULL, (size_t)n, buf);
	cr_assert_not_null(got);
	cr_assert(got->n_interfaces == 1 && got->n_routes == 1 && got->n_neighbours == 0);
	cr_expect_str_eq(got->interfaces[0]->name, "eth0");
	cr_expect_eq(got->interfaces[0]->mtu, 1450);
	cr_expect_eq(got->interfaces[0]->mac.len, 6);
	cr_assert_eq(got->interfaces[0]->n_addresses, 1);
	cr_expect_eq(memcmp(got->interfaces[0]->addresses[0]->address.data, "\x0a\x09\0\2", 4), 0);
	cr_expect_eq(got->routes[0]->family, 4);
	cr_expect_eq(got->routes[0]->prefix, 16);
	cr_expect_eq(got->routes[0]->metric, 7);
	cr_expect(got->routes[0]->device);
	cr_expect_eq(got->routes[0]->source.len, 0);
	cr_assert_eq(got->routes[0]->n_metrics, RTAX_ADVMSS);
	cr_expect_eq(got->routes[0]->metrics[RTAX_MTU - 1], 1400);
	cr_expect_eq(got->routes[0]->metrics[RTAX_ADVMSS - 1], 1360);
	protobuf_c_message_free_unpacked(&got->base, NULL);
}
