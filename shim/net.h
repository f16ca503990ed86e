/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's network from the host's side: where its packets go, what the agent is told, and what has
 * to be taken away afterwards. All zero is a pod without a network.
 */
#ifndef SHIM_NET_H
#define SHIM_NET_H

#include "agent.pb-c.h"
#include "common/err.h"
#include "shim/hypervisor.h"
#include "shim/net_join.h"

struct loop;
struct source;

struct net {
	struct hypervisor_net attach;         /* until the VM's monitor has it */
	Agent__UpdateNetworkRequest *request; /* NULL: there is no network */
	/* A network namespace: */
	char *path;
	struct net_joint joint;
	/* passt: */
	pid_t passt_pid; /* 0: none */
	int passt_fd;    /* its pidfd */
	struct source *passt;
	/* passt has ended, how says how; set by who wants to know before net_open_user(). */
	void (*on_lost)(const char *how, void *data);
	void *data;
};

/* The network of a pod of so many CPUs. net is all zero. */
int net_open_namespace(struct net *net, const char *path, unsigned cpus, struct err *err);

/*
 * The host's network, through passt. publish: ports as in publish.h, blanks between them, or NULL.
 * passt's own failure comes later, by on_lost; its words are in the log.
 */
int net_open_user(struct net *net, struct loop *loop, const char *publish, int log_fd,
		  struct err *err);

/* Whether path is the namespace that the pod's network is. -EINVAL: it is another. */
int net_check_namespace(const struct net *net, const char *path, struct err *err);

/* The VM's monitor has its descriptors, or never will. */
void net_handed_over(struct net *net);

/* After the VM has ended: takes away what is left of it on the host. */
void net_finish(struct net *net);

/* For net_user.c: takes the description in reply; ends passt. */
int net_keep_description(struct net *net, const struct netns_reply *reply, struct err *err);
void net_stop_passt(struct net *net);

#endif
