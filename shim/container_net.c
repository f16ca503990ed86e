/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: nerdctl, Docker and `ctr run --cni` name no network namespace in config.json. They
 * configure /proc/PID/ns/net of the task's pid: by a hook of the creation, or after it, with the pid of
 * Create's answer. That pid is the monitor's, which is in a network namespace of its own, empty but for a
 * loopback interface. So what is in there when the container is to be started is its network, and joined
 * as any other (net_join.h):
 *
 *	look	at the monitor's /proc/PID/net/dev: all that a container without such a network costs
 *	join	the interface and a tap, in the monitor's namespace
 *	attach	the tap to the net slot that the VM has had from its boot on
 *	guest	its interface moves to the container's namespace, and is configured there
 *
 * Once, at the start: by then all of these clients are done, and the container, to whose namespace the
 * guest's interface moves, is there. The start waits, and fails where this does.
 *
 * The monitor's answer comes to the shim, not to the container, which may be deleted meanwhile. The
 * namespace, with all in it, goes with the monitor, unless its client holds it; then that takes the
 * interface back.
 */
#include "shim/container_net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io.h"
#include "shim/container.h"
#include "shim/shim.h"

#define MAX_DEV (1u << 20)

bool container_net_is_listed(const char *dev)
{
	const char *line = dev;

	/* Two lines of headings, which have no colon. */
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *name = line + strspn(line, " ");
		size_t n = strcspn(name, ":\n");

		if (name[n] == ':' && !(n == 2 && memcmp(name, "lo", 2) == 0))
			return true;
	}
	return false;
}

/* A monitor that cannot be looked at has gone, which the sandbox tells. */
static bool is_there(pid_t monitor)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", monitor);
	return io_read_file(AT_FDCWD, path, MAX_DEV, &text, &size) == 0 &&
	       container_net_is_listed(text);
}

static void done(struct container *container, const struct err *err)
{
	container_net_fn fn = container->net_taken;

	/* Why a connection ended is the sandbox's to judge, which then fails the container. */
	if (err && err->code == ECONNRESET)
		return;
	container->net_taken = NULL;
	if (fn)
		fn(container, err);
}

static void on_configured(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	done(data, err);
}

static void on_attached(const struct err *err, void *data)
{
	struct shim *shim = data;
	struct container *container = TAKE_PTR(shim->net_taker);
	Agent__UpdateNetworkRequest request;
	struct err failed = ERR_INIT;
	int r;

	/* It was deleted meanwhile. */
	if (!container)
		return;
	if (err) {
		done(container, err);
		return;
	}
	request = *shim->net.request;
	request.container_id = container->id;
	r = agent_client_call(shim->sandbox.agent, "UpdateNetwork", &request.base, 0, on_configured,
			      container);
	if (r == 0)
		return;
	err_set_errno(&failed, -r, "cannot ask the agent for a network");
	done(container, &failed);
}

/* QEMU's is, where we may make none. */
static bool is_ours(const char *netns)
{
	struct stat ours, other;

	return stat("/proc/self/ns/net", &ours) == 0 && stat(netns, &other) == 0 &&
	       ours.st_dev == other.st_dev && ours.st_ino == other.st_ino;
}

/* 1: on_attached() follows. 0: what is there is no network, as an interface that is down. */
static int join(struct shim *shim, struct err *err)
{
	struct hypervisor *hv = shim->sandbox.hv;
	struct net *net = &shim->net;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", hv->pid);
	if (!hv->ops->attach_net)
		return is_ours(path)
			       ? 0
			       : err_set(err, ENOSYS,
					 "hypervisor %s: cannot attach the network that was made "
					 "for process %d, as the machine runs",
					 hv->ops->name, hv->pid);
	r = net_open_namespace(net, path, shim->grow.now.cpus, err);
	if (r < 0 || !net->joint.index)
		return r;
	r = pod_dir_write_network(shim->pod, path, &net->joint, err);
	if (r < 0)
		return r;
	r = hv->ops->attach_net(hv, &net->attach, on_attached, shim);
	return r < 0 ? err_set_errno(err, -r, "cannot attach the network") : 1;
}

void container_net_take(struct container *container, container_net_fn fn)
{
	struct shim *shim = container->shim;
	struct hypervisor *hv = shim->sandbox.hv;
	struct err err = ERR_INIT;
	int r;

	if (!container->own_net || shim->net.path || !hv || !is_there(hv->pid)) {
		fn(container, NULL);
		return;
	}
	r = join(shim, &err);
	if (r > 0) {
		net_handed_over(&shim->net);
		shim->net_taker = container;
		container->net_taken = fn;
		return;
	}
	net_finish(&shim->net);
	fn(container, r < 0 ? &err : NULL);
}
