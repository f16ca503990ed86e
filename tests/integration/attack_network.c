/* SPDX-License-Identifier: Apache-2.0 */
/* The network, and others' sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "tests/integration/attack.h"

static struct sockaddr_in local(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)attack_number("SBX_ATTACK_PORT")),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
}

static long connect_tcp(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = local();

	if (fd < 0)
		return -errno;
	return attack_result(connect(fd, (struct sockaddr *)&address, sizeof(address)));
}

/* Where somebody could come: in an empty network one may listen, and nobody can. */
static long listen_tcp(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM, 0);
	_cleanup_close_ int caller = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(struct sockaddr_in);
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	if (fd < 0 || caller < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	return attack_result(connect(caller, (struct sockaddr *)&address, size));
}

static long send_udp(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in address = local();

	if (fd < 0)
		return -errno;
	return attack_result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static long send_frame(void)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	return attack_result(fd);
}

static long forge_packet(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);

	return attack_result(fd);
}

/* Any interface that is up: there is one, lo, in every network namespace, and it is down in an empty one. */
static long use_interface(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	return ifr.ifr_flags & IFF_UP ? 0 : -ENETDOWN;
}

static long raise_interface(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (fd < 0)
		return -errno;
	return attack_result(ioctl(fd, SIOCSIFFLAGS, &ifr));
}

static long connect_unix(const char *name, size_t skip)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t n = strlen(name);

	if (fd < 0)
		return -errno;
	if (n > sizeof(address.sun_path) - 1 - skip)
		return -ENAMETOOLONG;
	memcpy(address.sun_path + skip, name, n);
	return attack_result(
		connect(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip + n + !skip)));
}

static long connect_abstract(void)
{
	return connect_unix(attack_target("SBX_ATTACK_ABSTRACT"), 1);
}

static long connect_other(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/vsock_1024", attack_target("SBX_ATTACK_OTHER"));
	return connect_unix(path, 0);
}

static long connect_above(void)
{
	char path[256];

	/* Where "/.." were something else. */
	snprintf(path, sizeof(path), "/../..%s/vsock_1024", attack_target("SBX_ATTACK_OTHER"));
	return connect_unix(path, 0);
}

static long any(int family, int type, int protocol)
{
	_cleanup_close_ int fd = socket(family, type, protocol);

	return attack_result(fd);
}

static long internet(void)
{
	return any(AF_INET, SOCK_STREAM, 0);
}

static long netlink(void)
{
	return any(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

/* The machine's own way to its other virtual machines knows no namespaces. */
static long machines(void)
{
	return any(AF_VSOCK, SOCK_STREAM, 0);
}

static long cipher(void)
{
	return any(AF_ALG, SOCK_SEQPACKET, 0);
}

static const struct attack list[] = {
	{"connect by TCP", connect_tcp, 0},
	{"listen by TCP", listen_tcp, 0},
	{"send by UDP", send_udp, 0},
	{"send a frame", send_frame, 0},
	{"forge a packet", forge_packet, 0},
	{"use an interface", use_interface, 0},
	{"raise an interface", raise_interface, 0},
	{"connect to an abstract socket", connect_abstract, 0},
	{"connect to another sandbox", connect_other, 0},
	{"connect to another sandbox from above", connect_above, 0},
	{"make an internet socket", internet, ATTACK_BY_LIST},
	{"make a netlink socket", netlink, ATTACK_BY_LIST},
	{"make a socket to other machines", machines, ATTACK_BY_LIST},
	{"make a cipher's socket", cipher, ATTACK_BY_LIST},
};

const struct attacks attack_network = {list, ARRAY_SIZE(list)};
