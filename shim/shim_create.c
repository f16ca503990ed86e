/* SPDX-License-Identifier: Apache-2.0 */
/* Task.Create: the first container's also makes the virtual machine, and says what it is to be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc.h"
#include "shim/container.h"
#include "shim/forward.h"
#include "shim/group.h"
#include "shim/host_cgroup.h"
#include "shim/namespace.h"
#include "shim/oom_score.h"
#include "shim/pod_config.h"
#include "shim/pod_size.h"
#include "shim/shim.h"
#include "shim/spec.h"
#include "shim/spec_guest.h"
#include "task.pb-c.h"

static void fail(struct rpc_call *call, int code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	rpc_fail(call, &err);
}

static struct pod_size host_size(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);

	return (struct pod_size){
		.memory = pages < 1 ? 0 : (uint64_t)pages * 4096,
		.cpus = cpus < 1 ? 1 : (unsigned)cpus,
	};
}

/*
 * What the VM is to be, from the spec of its first container, or of the pod. Annotations that name host
 * paths or programs count only where sbx itself wrote them.
 */
static int read_config(const struct shim *shim, const struct pod_plan *plan,
		       const struct config *config, struct sandbox_config *ret,
		       struct pod_grow *ret_grow, struct err *err)
{
	const struct spec *spec = plan->spec;
	const struct pod_size fallback = {config->memory, config->cpus};
	const struct pod_size wished = {config->max_memory, config->max_cpus};
	const struct pod_size host = host_size();
	struct pod_size size, most;
	int r = pod_size(spec, &host, &fallback, &size, err);

	if (r < 0)
		return r;
	most = size;
	if (group_is_sandbox(spec))
		pod_size_max(&size, &host, &wished, &most);
	*ret_grow = (struct pod_grow){.now = size, .asked = size, .most = most};
	*ret = (struct sandbox_config){
		.memory = size.memory,
		.max_memory = most.memory,
		.cpus = size.cpus,
		.max_cpus = most.cpus,
		.disks = {plan->disk},
		.n_disks = plan->disk.fd >= 0,
		.alone = shim->own_pod,
		.shares = plan->shares,
		.pod_dirfd = shim->pod->dirfd,
		.pod_path = shim->pod->path,
		.log_fd = shim->log_fd,
		.oom_score = oom_score_of_spec(spec),
		.hypervisor = config->hypervisor,
		.kernel = config->kernel,
		.debug = config->debug,
		.rates = config->rates,
	};
	if (shim->own_pod) {
		ret->hypervisor = spec_annotation(spec, "sbx.hypervisor");
		ret->kernel = spec_annotation(spec, "sbx.kernel");
		ret->debug = spec_annotation(spec, "sbx.debug") != NULL;
	}
	/* What runs nothing itself says for the others what their common namespaces are to be. */
	if (group_is_sandbox(spec))
		return spec_guest_build_sysctl(plan->spec, &ret->n_sysctl, &ret->sysctl, err);
	return 0;
}

static void on_network_lost(const char *how, void *data)
{
	struct shim *shim = data;
	char what[96];

	snprintf(what, sizeof(what), "passt %s", how);
	log_warn("%s", what);
	sandbox_abort_start(&shim->sandbox, what);
}

/* The first container's is the pod's network. */
static int open_network(struct shim *shim, const struct spec *spec, unsigned cpus, struct err *err)
{
	const char *path = spec_namespace_path(spec, "network");
	const char *network = spec_annotation(spec, "sbx.network");

	if (path) {
		int r = net_open_namespace(&shim->net, path, cpus, err);

		return r < 0 ? r : pod_dir_write_network(shim->pod, path, &shim->net.joint, err);
	}
	if (!shim->own_pod && !spec_has_namespace(spec, "network"))
		log_warn("the pod comes without a network namespace, as with hostNetwork: it has a "
			 "loopback interface of its own and nothing else");
	if (!shim->own_pod || !network || strcmp(network, "user") != 0)
		return 0;
	shim->net.on_lost = on_network_lost;
	shim->net.data = shim;
	return net_open_user(&shim->net, shim->loop, spec_annotation(spec, "sbx.publish"),
			     shim->log_fd, err);
}

/* Only CRI forwards ports. Without it everything else still works. */
static void open_forward(struct shim *shim, const struct spec *spec)
{
	const char *path = spec_namespace_path(spec, "network");
	struct err err = ERR_INIT;

	if (shim->own_pod || !path || !group_is_sandbox(spec))
		return;
	if (forward_create(shim->loop, &shim->sandbox, path, &shim->forward, &err) < 0)
		log_warn("port-forward will not work: %s", err.msg);
}

/* And a later one's must be the same. */
static int check_network(struct shim *shim, const struct container *container, struct err *err)
{
	const char *path = spec_namespace_path(container->spec, "network");
	pid_t owner = path ? namespace_owner("network", path) : 0;

	/* A container's own, in the guest, is the agent's to find. */
	if (!path || (owner && (owner == shim->record.vmm_pid || shim_find_stood_for(shim, owner))))
		return 0;
	return net_check_namespace(&shim->net, path, err);
}

/* Whoever sweeps up after us reads the group's name in the pod's directory. */
static int enter_cgroup(struct shim *shim, const struct spec *spec, struct err *err)
{
	const struct spec_linux *linux_spec = spec->config.linux;
	const char *asked = linux_spec ? linux_spec->cgroups_path : NULL;
	char path[PATH_MAX];
	int r;

	if (shim->own_pod || !asked || !asked[0] || geteuid() != 0)
		return 0;
	r = host_cgroup_path(asked, path, err);
	if (r == 0)
		r = pod_dir_write_cgroup(shim->pod, path, err);
	return r < 0 ? r : shim->sandbox.hv->ops->enter_cgroup(shim->sandbox.hv, path, err);
}

int shim_start_sandbox(struct shim *shim, const struct pod_plan *plan, const Google__Any *options,
		       struct err *err)
{
	_cleanup_config_ struct config machine = {0};
	struct sandbox_config config;
	struct utsname host;
	int r;

	r = shim->own_pod ? pod_config_own(plan->spec, &machine, err)
			  : pod_config_read(plan->spec, options, &machine, err);
	if (r == 0)
		r = read_config(shim, plan, &machine, &config, &shim->grow, err);
	if (r == 0)
		r = open_network(shim, plan->spec, config.cpus, err);
	if (r < 0)
		net_finish(&shim->net);
	if (r == 0) {
		config.hostname = group_hostname(plan->spec, plan->id, &host);
		config.net = shim->net.attach;
		config.network = shim->net.request;
		r = sandbox_start(&shim->sandbox, &config, err);
	}
	net_handed_over(&shim->net);
	if (r == 0) {
		r = enter_cgroup(shim, plan->spec, err);
		/* Nobody is to join a machine whose first container, and its disk, will never be. */
		if (r < 0)
			sandbox_abort_start(&shim->sandbox, err->msg);
	}
	if (r == 0) {
		open_forward(shim, plan->spec);
		shim->record.vmm_pid = shim->sandbox.hv->pid;
		shim_save_record(shim);
	}
	return r;
}

static int start_for(struct shim *shim, struct container *container, const Google__Any *options,
		     struct err *err)
{
	const struct pod_plan plan = {
		.spec = container->spec,
		.id = container->id,
		.disk = {.fd = container->image_fd, .readonly = !container->rootfs.writable},
		.shares = container->shares.n,
	};

	if (container->image_fd >= 0)
		container->slot = shim_take_slot(shim);
	return shim_start_sandbox(shim, &plan, options, err);
}

/* The pod's first container brings the VM; a later one enters it, now or when it is up. */
static void admit(struct shim *shim, struct container *container, const Google__Any *options,
		  struct rpc_call *call)
{
	struct err err = ERR_INIT;
	int r = shim->sandbox.state == SANDBOX_NEW ? start_for(shim, container, options, &err)
						   : check_network(shim, container, &err);

	if (r < 0) {
		container_free(container);
		rpc_fail(call, &err);
		return;
	}
	list_append(&shim->containers, &container->link);
	oom_score_follow(shim);
	if (shim->sandbox.state == SANDBOX_READY)
		container_enter(container);
}

void shim_handle_create(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Task__CreateTaskRequest *req = (const Task__CreateTaskRequest *)msg;
	struct shim *shim = ((struct client *)data)->shim;
	struct container *container;
	struct err err = ERR_INIT;

	if (!pod_id_is_valid(req->id))
		fail(call, EINVAL, "not a valid id");
	else if (container_find(shim, req->id))
		fail(call, EEXIST, "the container exists already");
	else if (shim->sandbox.state == SANDBOX_DEAD)
		rpc_fail(call, &shim->sandbox.why);
	else if (shim_lets_go(shim))
		fail(call, EBUSY, "the pod has ended with its container");
	else if (req->checkpoint[0])
		fail(call, ENOSYS, "restore from a checkpoint: not supported");
	else if (container_create(shim, req, call, &container, &err) < 0)
		rpc_fail(call, &err);
	else
		admit(shim, container, req->options, call);
}
