/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the host's network for a pod, without any right on the host. passt, one per
 * pod, turns the frames of the VM into sockets of its own, and back. Its end of a socket pair is all
 * that it is given; the other end goes to the VM's monitor. It ends when that closes, when we do, and
 * with the pod at the latest.
 *
 * The addresses are constants that every such pod has: passt answers for all of them, and nobody else
 * sees any. The guest is told of them like of any network, so it needs no DHCP client, and passt's
 * own servers are off. The gateway does not stand for the host: a pod reaches what the host reaches,
 * but not what listens on its loopback interface alone.
 *
 *	10.0.2.15/24  the guest      10.0.2.2  its gateway      10.0.2.3  DNS, the host's resolver
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "shim/argv.h"
#include "shim/image_tool.h"
#include "shim/net.h"
#include "shim/net_facts.h"
#include "shim/publish.h"
#include "shim/spawn.h"

#define GUEST_ADDRESS "10.0.2.15"
#define GUEST_PREFIX  24
#define GATEWAY       "10.0.2.2"
#define DNS           "10.0.2.3"
#define MTU           65520 /* passt's largest: without offloads, large packets are what is fast */

/* --- what the guest is told ----------------------------------------------------------------- */

static struct net_ip ip(const char *text)
{
	struct net_ip out = {.family = AF_INET};

	inet_pton(AF_INET, text, out.bytes);
	return out;
}

static int describe(struct net *net, struct err *err)
{
	_cleanup_free_ struct net_facts *facts = calloc(1, sizeof(*facts));
	_cleanup_free_ struct netns_reply *reply = calloc(1, sizeof(*reply));
	int r;

	if (!facts || !reply)
		return err_set(err, ENOMEM, "out of memory");
	facts->link = (struct net_link){
		.index = 1, .mtu = MTU, .name = "eth0", .mac = {0x02, 0x73, 0x62, 0x78, 0x01, 0}};
	facts->addresses[facts->n_addresses++] =
		(struct net_address){.prefix = GUEST_PREFIX, .ip = ip(GUEST_ADDRESS)};
	facts->routes[facts->n_routes++] = (struct net_route){
		.to.family = AF_INET, .gateway = ip(GATEWAY), .index = 1, .type = RTN_UNICAST};
	/* passt knows where a guest is only once it has spoken; a published port may be asked first. */
	facts->neighbours[facts->n_neighbours++] = (struct net_neighbour){.ip = ip(GATEWAY)};
	r = net_facts_pack(facts, 0, reply->data, sizeof(reply->data));
	if (r < 0)
		return err_set_errno(err, -r, "network: its description");
	reply->size = (size_t)r;
	r = net_keep_description(net, reply, err);
	if (r < 0)
		return r;
	net->request->interfaces[0]->no_offload = true;
	/* The message owns its strings; an empty one is the generated code's. */
	net->request->resolv_conf = strdup("nameserver " DNS "\n");
	return net->request->resolv_conf ? 0 : err_set(err, ENOMEM, "out of memory");
}

/* --- passt ---------------------------------------------------------------------------------- */

static int add_ports(struct argv *argv, const char *publish, struct err *err)
{
	_cleanup_free_ char *copy = strdup(publish ? publish : "");
	char *at = NULL;

	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		struct publish port;

		if (publish_parse(word, &port) < 0)
			return err_set(err, EINVAL, "sbx.publish: %.64s: not a port", word);
		argv_add(argv, port.udp ? "-u" : "-t");
		argv_add(argv, "%s%s%u:%u", port.address, port.address[0] ? "/" : "", port.host,
			 port.guest);
	}
	return 0;
}

static int start_passt(struct net *net, int fd, const char *publish, int log_fd, struct err *err)
{
	static const char *const options[] = {
		"--foreground",
		"--quiet",
		"--stderr",
		"--one-off",
		"--ipv4-only",
		"--no-map-gw",
		"--no-dhcp",
		"-a",
		GUEST_ADDRESS,
		"-n",
		"24",
		"-g",
		GATEWAY,
		"-m",
		"65520",
		"--dns-forward",
		DNS,
	};
	_cleanup_free_ char *program = NULL;
	_cleanup_argv_ struct argv argv = {0};
	int r = image_tool_find("passt", &program);

	if (r == -ENOMEM)
		return err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return err_set(err, ENOENT,
			       "passt is not installed; install the package passt, or run without "
			       "--network user");
	argv_add(&argv, "%s", program);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		argv_add(&argv, "%s", options[i]);
	argv_add(&argv, "--fd");
	argv_add(&argv, "%d", argv_keep(&argv, fd));
	r = add_ports(&argv, publish, err);
	return r < 0 ? r : argv_spawn(&argv, log_fd, &net->passt_pid, &net->passt_fd, err);
}

static void on_passt(struct source *source, uint32_t events, void *data)
{
	struct net *net = data;
	char how[64] = "ended";

	source_remove(net->passt);
	net->passt = NULL;
	spawn_reap(net->passt_fd, how, sizeof(how));
	net->passt_pid = 0;
	net->on_lost(how, net->data);
}

void net_stop_passt(struct net *net)
{
	char how[64];

	source_remove(net->passt);
	if (net->passt_pid > 0) {
		syscall(SYS_pidfd_send_signal, net->passt_fd, SIGKILL, NULL, 0);
		spawn_reap(net->passt_fd, how, sizeof(how));
		close_fd(&net->passt_fd);
	}
}

int net_open_user(struct net *net, struct loop *loop, const char *publish, int log_fd,
		  struct err *err)
{
	_cleanup_close_ int theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set_errno(err, errno, "socketpair");
	theirs = pair[1];
	net->attach =
		(struct hypervisor_net){.fds = {pair[0]}, .n_fds = 1, .stream = true, .mtu = MTU};
	r = describe(net, err);
	if (r == 0)
		r = start_passt(net, theirs, publish, log_fd, err);
	if (r < 0)
		return r;
	r = loop_add_io(loop, net->passt_fd, EPOLLIN, on_passt, net, &net->passt);
	return r < 0 ? err_set_errno(err, -r, "cannot watch passt") : 0;
}
