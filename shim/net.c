/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/cleanup.h"
#include "common/slots.h"

#define REQUEST_BUDGET (1u << 20)

int net_keep_description(struct net *net, const struct netns_reply *reply, struct err *err)
{
	net->request = (Agent__UpdateNetworkRequest *)budget_unpack(
		&agent__update_network_request__descriptor, reply->data, reply->size,
		REQUEST_BUDGET);
	return net->request ? 0 : err_set(err, EPROTO, "network: its description is malformed");
}

int net_open_namespace(struct net *net, const char *path, unsigned cpus, struct err *err)
{
	_cleanup_free_ struct netns_reply *reply = calloc(1, sizeof(*reply));
	int r;

	net->path = strdup(path);
	if (!reply || !net->path)
		return err_set(err, ENOMEM, "out of memory");
	r = net_join(path, cpus < NET_MAX_PAIRS ? cpus : NET_MAX_PAIRS, &net->joint, reply, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < reply->n_fds; i++) {
		if (net->attach.n_fds < NET_MAX_PAIRS)
			net->attach.fds[net->attach.n_fds++] = reply->fds[i];
		else
			close(reply->fds[i]);
	}
	net->attach.mtu = net->joint.mtu;
	return net->joint.index ? net_keep_description(net, reply, err) : 0;
}

int net_check_namespace(const struct net *net, const char *path, struct err *err)
{
	struct netns_id id;
	_cleanup_close_ int fd = netns_open(path, &id, err);

	if (fd < 0)
		return fd;
	if (!net->path || id.dev != net->joint.netns.dev || id.ino != net->joint.netns.ino)
		return err_set(err, EINVAL, "network namespace %s: it is not the pod's", path);
	return 0;
}

void net_handed_over(struct net *net)
{
	for (size_t i = 0; i < net->attach.n_fds; i++)
		close(net->attach.fds[i]);
	net->attach.n_fds = 0;
}

void net_finish(struct net *net)
{
	net_handed_over(net);
	if (net->path)
		net_part(net->path, &net->joint);
	net_stop_passt(net);
	free(net->path);
	if (net->request)
		protobuf_c_message_free_unpacked(&net->request->base, NULL);
	*net = (struct net){.on_lost = net->on_lost, .data = net->data};
}
