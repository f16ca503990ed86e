/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: everything that comes in on the interface is sent out of the tap, and the
 * other way round, by the traffic control of the namespace's own kernel:
 *
 *	host's bridge --- veth (in the namespace) --ingress: mirred redirect--> tap --- VM
 *	                                          <--redirect: ingress--
 *
 * The interface keeps its addresses, and its kernel sees nothing of its traffic any more: packets are
 * stolen before any protocol. The guest's interface takes over hardware address, IP addresses,
 * routes, permanent neighbours and MTU. Nothing outside of the namespace is touched.
 *
 * A pod whose shim was killed leaves the interface's ingress discipline behind, with a filter whose
 * target has gone. The filter is known by its priority, and that it is dead by no tap of ours being
 * there; then the discipline is made anew. Anybody else's is left alone, and joining is refused.
 */
#include "shim/net_join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/netlink_route.h"
#include "common/slots.h"
#include "shim/net_facts.h"

/* In the child, inside the namespace: descriptors and memory end with it. */
struct joining {
	int netlink;
	unsigned queues;
	struct net_facts facts;
	int fds[NET_MAX_PAIRS];
	int tap_index;
	unsigned ours, foreign; /* filters */
	struct err *err;
};

/* The reply begins with this, then comes the agent's request. */
struct reply_head {
	int32_t index;
	uint32_t mtu;
};

/* --- what is there -------------------------------------------------------------------------- */

#define GATHER(kind)                                                                               \
	static int gather_##kind(const struct nl_message *message, void *data)                     \
	{                                                                                          \
		struct joining *j = data;                                                          \
                                                                                                   \
		return net_facts_##kind(&j->facts, message, j->err);                               \
	}

GATHER(link)
GATHER(address)
GATHER(route)
GATHER(neighbour)

static int gather(struct joining *j)
{
	static const struct {
		uint16_t what;
		int (*fn)(const struct nl_message *message, void *data);
	} dumps[] = {
		{RTM_GETLINK, gather_link},
		{RTM_GETADDR, gather_address},
		{RTM_GETROUTE, gather_route},
		{RTM_GETNEIGH, gather_neighbour},
	};

	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		struct nl_msg msg;
		int r;

		net_encode_dump(&msg, dumps[i].what);
		r = nl_dump(j->netlink, &msg, dumps[i].fn, j);
		if (r < 0 && !j->err->code)
			err_set_errno(j->err, -r, "network: reading the namespace");
		if (r < 0)
			return r;
		if (!j->facts.link.index)
			return 0;
	}
	return 0;
}

/* --- the tap -------------------------------------------------------------------------------- */

static int open_queue(const char name[IFNAMSIZ], unsigned queues, struct ifreq *ifr,
		      struct err *err)
{
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set_errno(err, errno, "/dev/net/tun");
	*ifr = (struct ifreq){.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	if (queues > 1)
		ifr->ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(ifr->ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, ifr) < 0)
		return err_set_errno(err, errno, "network: cannot make a tap");
	return TAKE_FD(fd);
}

static int make_tap(struct joining *j)
{
	char name[IFNAMSIZ] = NET_TAP_NAME "%d";
	struct nl_msg msg;
	struct ifreq ifr;
	int r;

	for (unsigned i = 0; i < j->queues; i++) {
		j->fds[i] = open_queue(name, j->queues, &ifr, j->err);
		if (j->fds[i] < 0)
			return j->fds[i];
		memcpy(name, ifr.ifr_name, sizeof(name));
	}
	name[IFNAMSIZ - 1] = '\0';
	if (ioctl(j->netlink, SIOCGIFINDEX, &ifr) < 0)
		return err_set_errno(j->err, errno, "network: the tap");
	j->tap_index = ifr.ifr_ifindex;
	net_encode_link(&msg, j->tap_index, &(struct net_link_change){.mtu = j->facts.link.mtu});
	r = nl_request(j->netlink, &msg);
	/* Quiet, before it comes up; without IPv6 on the host, or with an MTU too small for that, it is. */
	net_encode_link(&msg, j->tap_index, &(struct net_link_change){.no_local = true});
	if (r >= 0)
		r = nl_request(j->netlink, &msg);
	if (r == -EAFNOSUPPORT)
		r = 0;
	net_encode_link(&msg, j->tap_index, &(struct net_link_change){.up = true});
	if (r >= 0)
		r = nl_request(j->netlink, &msg);
	return r < 0 ? err_set_errno(j->err, -r, "network: the tap") : 0;
}

/* --- the joint ------------------------------------------------------------------------------ */

static int check_filter(const struct nl_message *message, void *data)
{
	struct joining *j = data;
	uint16_t priority;
	int r = net_decode_filter(message, &priority);

	if (r > 0 && priority == NET_REDIRECT_PRIORITY)
		j->ours++;
	else if (r > 0)
		j->foreign++;
	return r;
}

/* The interface has an ingress discipline already: a dead pod's of ours goes. */
static int clear_ingress(struct joining *j)
{
	struct nl_msg msg;
	int r;

	net_encode_dump_tc(&msg, RTM_GETTFILTER, j->facts.link.index, TC_H_MAKE(TC_H_INGRESS, 0));
	r = nl_dump(j->netlink, &msg, check_filter, j);
	if (r < 0)
		return r;
	if (j->facts.taken || j->foreign || !j->ours)
		return -EBUSY;
	net_encode_ingress(&msg, RTM_DELQDISC, j->facts.link.index);
	return nl_request(j->netlink, &msg);
}

static int add_ingress(struct joining *j, int index)
{
	struct nl_msg msg;
	int r;

	net_encode_ingress(&msg, RTM_NEWQDISC, index);
	r = nl_request(j->netlink, &msg);
	if (r == -EINVAL) /* there is one, of another kind */
		return -EBUSY;
	if (r == -EEXIST && index == j->facts.link.index) {
		r = clear_ingress(j);
		net_encode_ingress(&msg, RTM_NEWQDISC, index);
		if (r >= 0)
			r = nl_request(j->netlink, &msg);
	}
	return r;
}

static int redirect(struct joining *j, int from, int to)
{
	struct nl_msg msg;
	int r = add_ingress(j, from);

	if (r == -EBUSY)
		return err_set(j->err, EBUSY,
			       "network: interface %s is in use: it has traffic control on its "
			       "ingress",
			       j->facts.link.name);
	net_encode_redirect(&msg, from, to);
	if (r >= 0)
		r = nl_request(j->netlink, &msg);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		return err_set(j->err, -r,
			       "network: the host's kernel lacks sch_ingress, cls_matchall or "
			       "act_mirred");
	return r < 0 ? err_set_errno(j->err, -r, "network: joining tap and %s", j->facts.link.name)
		     : 0;
}

static int join(struct joining *j)
{
	struct nl_msg msg;
	int r;

	if (j->facts.taken)
		return err_set(j->err, EBUSY, "network: another pod is on this namespace");
	r = make_tap(j);
	if (r == 0)
		r = redirect(j, j->tap_index, j->facts.link.index);
	if (r < 0)
		return r;
	r = redirect(j, j->facts.link.index, j->tap_index);
	if (r < 0 && r != -EBUSY) {
		/* The tap's own goes with it. */
		net_encode_ingress(&msg, RTM_DELQDISC, j->facts.link.index);
		nl_request(j->netlink, &msg);
	}
	return r;
}

static int join_in_namespace(void *data, struct netns_reply *reply, struct err *err)
{
	struct joining *j = data;
	struct reply_head head = {0};
	int r;

	j->err = err;
	j->netlink = nl_open();
	if (j->netlink < 0)
		return err_set_errno(err, -j->netlink, "netlink");
	r = gather(j);
	if (r < 0)
		return r;
	if (j->facts.link.index) {
		r = join(j);
		if (r < 0)
			return r;
		r = net_facts_pack(&j->facts, 0, reply->data + sizeof(head),
				   sizeof(reply->data) - sizeof(head));
		if (r < 0)
			return err_set_errno(err, -r, "network: its description");
		head.index = j->facts.link.index;
		head.mtu = j->facts.link.mtu;
		memcpy(reply->fds, j->fds, j->queues * sizeof(j->fds[0]));
		reply->n_fds = j->queues;
	}
	memcpy(reply->data, &head, sizeof(head));
	reply->size = sizeof(head) + (size_t)r;
	return 0;
}

int net_join(const char *path, unsigned queues, struct net_joint *ret, struct netns_reply *reply,
	     struct err *err)
{
	_cleanup_free_ struct joining *j = calloc(1, sizeof(*j));
	_cleanup_close_ int fd = -1;
	struct reply_head head;
	struct net_joint joint;
	int r;

	if (!j)
		return err_set(err, ENOMEM, "out of memory");
	fd = netns_open(path, &joint.netns, err);
	if (fd < 0)
		return fd;
	j->queues = queues < NET_MAX_PAIRS ? queues : NET_MAX_PAIRS;
	r = netns_run(fd, join_in_namespace, j, reply, err);
	if (r < 0)
		return r;
	if (reply->size < sizeof(head))
		return err_set(err, EPROTO, "network: the helper's answer is too short");
	memcpy(&head, reply->data, sizeof(head));
	reply->size -= sizeof(head);
	memmove(reply->data, reply->data + sizeof(head), reply->size);
	joint.index = head.index;
	joint.mtu = head.mtu;
	*ret = joint;
	return 0;
}

/* --- and apart ------------------------------------------------------------------------------ */

static int gather_tap(const struct nl_message *message, void *data)
{
	struct joining *j = data;
	struct net_link link;
	int r = net_decode_link(message, &link);

	if (r > 0 && strncmp(link.name, NET_TAP_NAME, strlen(NET_TAP_NAME)) == 0)
		j->facts.taken = true;
	return r;
}

static int part_in_namespace(void *data, struct netns_reply *reply, struct err *err)
{
	const struct net_joint *joint = data;
	struct joining j = {.netlink = nl_open(), .facts.link.index = joint->index, .err = err};
	int r = j.netlink;

	struct nl_msg msg;

	net_encode_dump(&msg, RTM_GETLINK);
	if (r >= 0)
		r = nl_dump(j.netlink, &msg, gather_tap, &j);
	/* Only what is ours: with a tap there, another pod has come, or ours has not gone. */
	if (r >= 0)
		r = j.facts.taken ? -EBUSY : clear_ingress(&j);
	return r < 0 ? err_set_errno(err, -r, "network: its clean-up") : 0;
}

int net_part(const char *path, const struct net_joint *joint)
{
	_cleanup_free_ struct netns_reply *reply = calloc(1, sizeof(*reply));
	_cleanup_close_ int fd = -1;
	struct err err = ERR_INIT;
	struct netns_id id;

	if (!reply)
		return -ENOMEM;
	if (!joint->index)
		return 0;
	fd = netns_open(path, &id, &err);
	if (fd < 0 || id.dev != joint->netns.dev || id.ino != joint->netns.ino)
		return 0;
	/* Without interface or discipline there is nothing to take away. */
	return netns_run(fd, part_in_namespace, (void *)(uintptr_t)joint, reply, &err);
}
