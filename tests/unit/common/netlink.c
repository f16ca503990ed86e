/* SPDX-License-Identifier: Apache-2.0 */
#include "common/netlink_route.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

/* Golden bytes are a little-endian machine's, laid out by hand from the kernel's headers. */

static void hex(const void *data, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		snprintf(out + 2 * i, 3, "%02x", ((const uint8_t *)data)[i]);
}

/* Blanks in want are for the reader. */
static void expect_bytes(const struct nl_msg *msg, const char *text)
{
	char got[2 * NL_MSG_MAX + 1] = "", want[2 * NL_MSG_MAX + 1] = "";

	for (size_t n = 0; *text; text++)
		if (*text != ' ')
			want[n++] = *text;
	cr_assert_not(msg->failed);
	hex(msg->buf, msg->len, got);
	cr_expect_str_eq(got, want);
}

static size_t unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	int used;

	for (unsigned v; sscanf(text, " %2x%n", &v, &used) == 1; text += used)
		out[n++] = (uint8_t)v;
	return n;
}

/* The only message in text. */
static struct nl_message message_of(const char *text)
{
	static uint8_t buf[1024];
	struct bytes in = bytes_of(buf, unhex(text, buf));
	struct nl_message message;

	cr_assert_eq(nl_next(&in, &message), 1);
	cr_assert_eq(nl_next(&in, &(struct nl_message){0}), 0);
	return message;
}

/* --- building ------------------------------------------------------------------------------- */

Test(netlink, an_address)
{
	const struct net_address address = {
		.index = 3, .prefix = 24, .ip = {AF_INET, {10, 9, 0, 2}}};
	struct nl_msg msg;

	net_encode_address(&msg, &address);
	expect_bytes(&msg, "30000000 1400 0105 00000000 00000000 02180000 03000000 08000200 "
			   "0a090002 08000100 0a090002 08000800 82000000");
}

Test(netlink, a_default_route)
{
	const struct net_route route = {
		.index = 2,
		.to.family = AF_INET,
		.gateway = {AF_INET, {10, 9, 0, 1}},
		.type = RTN_UNICAST,
	};
	struct nl_msg msg;

	net_encode_route(&msg, &route);
	expect_bytes(&msg, "2c000000 1800 0105 00000000 00000000 02000000 fe040001 00000000 "
			   "08000500 0a090001 08000400 02000000");
}

Test(netlink, an_address_without_its_networks_route)
{
	const struct net_address address = {
		.index = 3, .prefix = 24, .no_prefix_route = true, .ip = {AF_INET, {10, 9, 0, 2}}};
	struct nl_msg msg;

	net_encode_address(&msg, &address);
	expect_bytes(&msg, "30000000 1400 0105 00000000 00000000 02180000 03000000 08000200 "
			   "0a090002 08000100 0a090002 08000800 82020000");
}

Test(netlink, a_routes_metrics)
{
	const struct net_route route = {
		.index = 2,
		.to.family = AF_INET,
		.metrics = {[RTAX_LOCK - 1] = 4, [RTAX_MTU - 1] = 1400},
		.type = RTN_UNICAST,
	};
	struct net_route got;
	struct nl_message message;
	struct bytes in;
	struct nl_msg msg;

	net_encode_route(&msg, &route);
	expect_bytes(&msg, "38000000 1800 0105 00000000 00000000 02000000 fe040001 00000000 "
			   "08000400 02000000 14000880 08000100 04000000 08000200 78050000");
	in = bytes_of(msg.buf, msg.len);
	cr_assert_eq(nl_next(&in, &message), 1);
	cr_assert_eq(net_decode_route(&message, &got), 1);
	cr_expect_eq(memcmp(got.metrics, route.metrics, sizeof(got.metrics)), 0);
	cr_expect_not(got.beyond);
}

Test(netlink, a_congestion_control_is_beyond)
{
	struct nl_message message =
		message_of("30000000 1800 0000 00000000 00000000 02180000 fe000001 00000000 "
			   "14000880 0a001000 7265 6e6f 0000 0000 0400 0000");
	struct net_route route;

	cr_assert_eq(net_decode_route(&message, &route), 1);
	cr_expect(route.beyond);
}

Test(netlink, a_link_changes)
{
	const uint8_t mac[] = {2, 0x73, 0x62, 0x78, 0, 1};
	const struct net_link_change change = {
		.name = "eth0", .mac = mac, .mtu = 1500, .up = true, .no_local = true};
	struct nl_msg msg;

	net_encode_link(&msg, 7, &change);
	expect_bytes(&msg, "50000000 1000 0100 00000000 00000000 00000000 07000000 01000000 "
			   "01000000 09000300 6574683000 000000 0a000100 027362780001 0000 "
			   "08000400 dc050000 10001a80 0c000a80 05000800 01");
}

Test(netlink, a_link_moves)
{
	struct nl_msg msg;

	net_encode_link(&msg, 7, &(struct net_link_change){.netns_pid = 258});
	expect_bytes(&msg, "28000000 1000 0100 00000000 00000000 00000000 07000000 00000000 "
			   "00000000 08001300 02010000");
}

Test(netlink, a_neighbour)
{
	const struct net_neighbour neighbour = {
		.index = 2,
		.ip = {AF_INET6, {0xfe, 0x80, [15] = 1}},
		.has_mac = true,
		.mac = {1, 2, 3, 4, 5, 6},
		.state = NUD_PERMANENT,
	};
	struct nl_msg msg;

	net_encode_neighbour(&msg, &neighbour);
	expect_bytes(&msg, "3c000000 1c00 0105 00000000 00000000 0a000000 02000000 80000000 "
			   "14000100 fe800000000000000000000000000001 0a000200 010203040506");
}

Test(netlink, ingress_and_redirect)
{
	struct nl_msg msg;

	net_encode_ingress(&msg, RTM_NEWQDISC, 5);
	expect_bytes(&msg, "30000000 2400 0106 00000000 00000000 00000000 05000000 0000ffff "
			   "f1ffffff 00000000 0c000100 696e677265737300");
	net_encode_ingress(&msg, RTM_DELQDISC, 5);
	expect_bytes(&msg, "30000000 2500 0100 00000000 00000000 00000000 05000000 0000ffff "
			   "f1ffffff 00000000 0c000100 696e677265737300");
	net_encode_redirect(&msg, 5, 6);
	expect_bytes(&msg, "70000000 2c00 0106 00000000 00000000 00000000 05000000 00000000 "
			   "0000ffff 00036273 0d000100 6d61746368616c6c00 000000 3c000280 "
			   "38000280 34000180 0b000100 6d697272656400 00 24000280 20000200 "
			   "0000000000000000 04000000 0000000000000000 01000000 06000000");
}

Test(netlink, what_does_not_fit_fails)
{
	uint8_t big[NL_MSG_MAX];
	struct nl_msg msg;
	size_t nest;

	memset(big, 1, sizeof(big));
	nl_begin(&msg, RTM_GETLINK, 0, big, 16);
	nl_put(&msg, 1, big, NL_MSG_MAX - 36);
	cr_expect_not(msg.failed);
	cr_expect_eq(msg.len, NL_MSG_MAX);
	nl_put_u8(&msg, 1, 1);
	cr_expect(msg.failed);
	cr_expect_eq(nl_request(-1, &msg), -EMSGSIZE);
	nl_begin(&msg, RTM_GETLINK, 0, big, 16);
	nest = nl_nest(&msg, 1);
	nl_put(&msg, 1, big, sizeof(big));
	nl_nest_end(&msg, nest);
	cr_expect(msg.failed);
	nl_begin(&msg, RTM_GETLINK, 0, big, sizeof(big));
	cr_expect(msg.failed);
}

/* --- parsing -------------------------------------------------------------------------------- */

Test(netlink, a_link_is_read)
{
	struct nl_message message =
		message_of("40000000 1000 0200 01000000 00000000 00000100 02000000 43100100 "
			   "00000000 09000300 6574683000 000000 0a000100 4a91fc7e2c07 0000 "
			   "08000400 dc050000");
	struct net_link link;

	cr_assert_eq(net_decode_link(&message, &link), 1);
	cr_expect_eq(link.index, 2);
	cr_expect_eq(link.type, 1);
	cr_expect_eq(link.flags, 0x11043);
	cr_expect_eq(link.mtu, 1500);
	cr_expect_str_eq(link.name, "eth0");
	cr_expect(link.has_mac && link.mac[0] == 0x4a && link.mac[5] == 7);
	cr_expect_not(link.has_permanent);
	cr_expect_eq(net_decode_address(&message, &(struct net_address){0}), 0);
	cr_expect_eq(net_decode_route(&message, &(struct net_route){0}), 0);
}

Test(netlink, a_name_without_end_is_cut)
{
	struct nl_message message =
		message_of("38000000 1000 0000 00000000 00000000 00000100 02000000 00000000 "
			   "00000000 18000300 6161616161616161616161616161616161616161");
	struct net_link link;

	cr_assert_eq(net_decode_link(&message, &link), 1);
	cr_expect_str_eq(link.name, "aaaaaaaaaaaaaaa");
}

static const char route_text[] = "34000000 1800 0000 00000000 00000000 02180000 fe000001 00000000 "
				 "08000100 0a080000 08000500 0a090001 08000400 02000000";

Test(netlink, a_route_is_read)
{
	struct nl_message message = message_of(route_text);
	struct net_route route;

	cr_assert_eq(net_decode_route(&message, &route), 1);
	cr_expect_eq(route.to.family, AF_INET);
	cr_expect_eq(memcmp(route.to.bytes, "\x0a\x08\0\0", 4), 0);
	cr_expect_eq(route.prefix, 24);
	cr_expect_eq(memcmp(route.gateway.bytes, "\x0a\x09\0\1", 4), 0);
	cr_expect_eq(route.index, 2);
	cr_expect_eq(route.table, RT_TABLE_MAIN);
	cr_expect_not(route.beyond);
}

/* Whatever is cut off or too short is an error or nothing, never a read beyond. */
Test(netlink, broken_messages)
{
	uint8_t whole[256];
	size_t size = unhex(route_text, whole);

	for (size_t n = 0; n < size; n++) {
		uint8_t *cut = memcpy(malloc(n ? n : 1), whole, n);
		struct bytes in = bytes_of(cut, n);
		struct nl_message message;
		struct net_route route;

		if (n >= 4)
			*(uint32_t *)cut = (uint32_t)n;
		if (nl_next(&in, &message) == 1)
			cr_expect_leq(net_decode_route(&message, &route), 1);
		else
			cr_expect_lt(n, 16);
		free(cut);
	}
	for (size_t at = 28; at < size; at += 8) {
		uint8_t copy[256];
		struct bytes in = bytes_of(copy, size);
		struct nl_message message;

		memcpy(copy, whole, size);
		copy[at] = at % 16 ? 3 : 0xff;
		cr_assert_eq(nl_next(&in, &message), 1);
		cr_expect_eq(net_decode_route(&message, &(struct net_route){0}), -EPROTO);
	}
}

Test(netlink, addresses_of_the_wrong_length)
{
	struct nl_message message =
		message_of("20000000 1400 0000 00000000 00000000 0a400000 02000000 08000100 "
			   "0a090002");
	struct net_address address;

	cr_expect_eq(net_decode_address(&message, &address), -EPROTO);
	message = message_of("18000000 1400 0000 00000000 00000000 0a400000 02000000");
	cr_expect_eq(net_decode_address(&message, &address), -EPROTO);
}

/* The kernel's own answer, where there is a kernel that answers. */
static int find_loopback(const struct nl_message *message, void *data)
{
	struct net_link link;
	int r = net_decode_link(message, &link);

	if (r > 0 && (link.flags & IFF_LOOPBACK))
		*(int *)data = link.index;
	return r;
}

Test(netlink, the_kernel_lists_its_loopback)
{
	_cleanup_close_ int fd = nl_open();
	struct nl_msg msg;
	int index = 0;

	cr_assert_geq(fd, 0);
	net_encode_dump(&msg, RTM_GETLINK);
	cr_assert_eq(nl_dump(fd, &msg, find_loopback, &index), 0);
	cr_expect_eq(index, (int)if_nametoindex("lo"));
	net_encode_link(&msg, 0x7ffffff0, &(struct net_link_change){.up = true});
	cr_expect_lt(nl_request(fd, &msg), 0);
}
