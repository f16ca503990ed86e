/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UpdateNetwork. Everything is configured at once; then the answer waits for the link, which the
 * host may have attached a moment ago: each change that the kernel tells of is a reason to look.
 *
 * A container's own network is reached through its init, which waits for its start. The agent enters it
 * and comes back within the call; the sockets that it has opened there stay there.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "agent/agent.h"
#include "agent/container.h"
#include "agent/net.h"
#include "agent/service.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/netlink.h"
#include "common/rpc.h"

#define LINK_TIMEOUT_NS (10 * 1000000000ull)
#define MAX_RESOLV_CONF 16384u

struct waiting {
	struct rpc_call *call;
	const Agent__UpdateNetworkRequest *request; /* lives as long as its call */
	int fd, netlink;
	struct source *link, *timeout;
};

static void finish(struct waiting *w, const struct err *err)
{
	source_remove(w->link);
	source_remove(w->timeout);
	close_fd(&w->fd);
	close_fd(&w->netlink);
	if (err)
		rpc_fail(w->call, err);
	else
		rpc_reply_empty(w->call);
	free(w);
}

/* Whether the link is there, or never will be. */
static void look(struct waiting *w)
{
	struct err err = ERR_INIT;
	int r = net_is_up(w->netlink, w->request);

	if (r < 0)
		err_set_errno(&err, -r, "network: looking at the link");
	if (r)
		finish(w, r < 0 ? &err : NULL);
}

static void on_link(struct source *source, uint32_t events, void *data)
{
	struct waiting *w = data;
	char buf[4096];

	/* One look for all that has come; -ENOBUFS, lost events, is a reason to look as well. */
	while (recv(w->fd, buf, sizeof(buf), 0) > 0)
		;
	look(w);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	struct err err = ERR_INIT;

	err_set(&err, ETIMEDOUT, "network: the host has attached no link");
	finish(data, &err);
}

static int wait_for_link(struct agent *agent, struct rpc_call *call,
			 const Agent__UpdateNetworkRequest *request)
{
	struct waiting *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	*w = (struct waiting){
		.call = call, .request = request, .fd = net_watch(), .netlink = nl_open()};
	r = w->fd < 0 ? w->fd : w->netlink;
	if (r >= 0)
		r = loop_add_io(agent->loop, w->fd, EPOLLIN, on_link, w, &w->link);
	if (r >= 0)
		r = loop_add_timer(agent->loop, on_timeout, w, &w->timeout);
	if (r < 0) {
		source_remove(w->link);
		close_fd(&w->fd);
		close_fd(&w->netlink);
		free(w);
		return r;
	}
	source_arm(w->timeout, LINK_TIMEOUT_NS);
	look(w);
	return 0;
}

static int keep_resolv_conf(struct agent *agent, const char *text, struct err *err)
{
	char *copy = NULL;

	if (strlen(text) > MAX_RESOLV_CONF)
		return err_set(err, EINVAL, "resolv.conf: longer than %u bytes", MAX_RESOLV_CONF);
	if (text[0] && !(copy = strdup(text)))
		return err_set(err, ENOMEM, "out of memory");
	free(agent->resolv_conf);
	agent->resolv_conf = copy;
	return 0;
}

/* --- a container's own ------------------------------------------------------------------------ */

/* Takes the interfaces along. *ret_own is the way back; -1 where the container is on the pod's network. */
static int enter(struct agent *agent, const Agent__UpdateNetworkRequest *request, int *ret_own,
		 struct err *err)
{
	_cleanup_close_ int own = -1;
	struct container *container;
	int r = container_find(agent, request->container_id, &container, err);

	if (r < 0)
		return err_wrap(err, "network");
	if (!(container->namespaces & CLONE_NEWNET))
		return 0;
	if (!container->init || container->init->state != PROCESS_CREATED)
		return err_set(err, EBUSY, "network: container %s does not wait for its start",
			       container->id);
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	r = own < 0 ? -errno : net_move(request, container->init->pid);
	if (r == 0 && setns(container->init->pidfd, CLONE_NEWNET) < 0)
		r = -errno;
	if (r < 0)
		return err_set_errno(err, -r, "network: moving it into container %s",
				     container->id);
	*ret_own = TAKE_FD(own);
	return 0;
}

static void leave(int own)
{
	if (own >= 0 && setns(own, CLONE_NEWNET) < 0) {
		/* An agent on a container's network would serve the pod from there. */
		log_error("no way back from a container's network: %s", strerror(errno));
		_exit(1);
	}
	close_fd(&own);
}

void handle_update_network(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__UpdateNetworkRequest *request = (const Agent__UpdateNetworkRequest *)msg;
	struct agent *agent = data;
	struct err err = ERR_INIT;
	int r, own = -1;

	r = request->container_id[0] ? enter(agent, request, &own, &err)
				     : keep_resolv_conf(agent, request->resolv_conf, &err);
	if (r >= 0)
		r = net_apply(request, &err);
	if (r >= 0) {
		r = wait_for_link(agent, call, request);
		if (r < 0)
			err_set_errno(&err, -r, "network: waiting for the link");
	}
	leave(own);
	if (r < 0)
		rpc_fail(call, &err);
}
