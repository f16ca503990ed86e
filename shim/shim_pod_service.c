/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: containerd's Sandbox service, by which a pod is made without a sandbox container.
 *
 *	CreateSandbox     starts the VM, and does not wait for it
 *	StartSandbox      answered when the agent is ready
 *	WaitSandbox       answered when the VM has ended, by StopSandbox or by itself
 *	StopSandbox       ends the VM; the shim stays, to be asked about it
 *	ShutdownSandbox   ends the shim
 *
 * Containers come by the Task service, on the same socket, and find the VM there or on its way.
 *
 * Calls that wait are kept in a list and answered when the VM is ready or has ended. Both come at the end
 * of a turn of the loop, so no handler's ground goes while it stands on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io.h"
#include "common/rpc.h"
#include "common/version.h"
#include "pod.pb-c.h"
#include "shim/container.h"
#include "shim/pod_spec.h"
#include "shim/shim.h"
#include "shim/shim_task_internal.h"
#include "shim/spec.h"
#include "shim/task_stats.h"

#define MAX_WAITING 256
#define STATUS_DIED 137 /* as of a process that was killed */

enum waits_for { WAITS_FOR_READY, WAITS_FOR_END, WAITS_FOR_STOP };

struct waiting {
	struct list link;
	struct rpc_call *call;
	enum waits_for what;
};

struct pod_service {
	struct list waiting;
	uint64_t created_ns, exited_ns; /* realtime */
	uint32_t exit_status;
	bool stopped; /* as it was asked to */
};

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Whether the call is about this pod, which has been created; else it has been answered. */
static bool is_pod(struct shim *shim, const char *id, struct rpc_call *call)
{
	if (shim->pod_service && strcmp(id, shim->pod->id) == 0)
		return true;
	task_fail(call, ENOENT, "sandbox not created");
	return false;
}

static void wait_for(struct pod_service *service, enum waits_for what, struct rpc_call *call)
{
	struct waiting *waiting;
	unsigned n = 0;

	for (struct list *it = service->waiting.next; it != &service->waiting; it = it->next)
		n++;
	waiting = n < MAX_WAITING ? calloc(1, sizeof(*waiting)) : NULL;
	if (!waiting) {
		task_fail(call, ENOMEM, "too many are waiting");
		return;
	}
	waiting->call = call;
	waiting->what = what;
	list_append(&service->waiting, &waiting->link);
}

static void answer_start(const struct shim *shim, struct rpc_call *call)
{
	Pod__StartSandboxResponse response = POD__START_SANDBOX_RESPONSE__INIT;
	Google__Timestamp at;

	response.pid = (uint32_t)shim->sandbox.hv->pid;
	response.created_at = container_timestamp(shim->pod_service->created_ns, &at);
	rpc_reply(call, &response.base);
}

static void answer_wait(const struct shim *shim, struct rpc_call *call)
{
	Pod__WaitSandboxResponse response = POD__WAIT_SANDBOX_RESPONSE__INIT;
	Google__Timestamp at;

	response.exit_status = shim->pod_service->exit_status;
	response.exited_at = container_timestamp(shim->pod_service->exited_ns, &at);
	rpc_reply(call, &response.base);
}

/* --- what becomes of the VM ------------------------------------------------------------------- */

void shim_pod_ready(struct shim *shim)
{
	struct list *it, *tmp;

	if (!shim->pod_service)
		return;
	list_for_each_safe (it, tmp, &shim->pod_service->waiting) {
		struct waiting *waiting = list_entry(it, struct waiting, link);

		if (waiting->what != WAITS_FOR_READY)
			continue;
		list_remove(&waiting->link);
		answer_start(shim, waiting->call);
		free(waiting);
	}
}

void shim_pod_ended(struct shim *shim, const struct err *why)
{
	struct pod_service *service = shim->pod_service;
	struct list *it, *tmp;

	if (!service || service->exited_ns)
		return;
	service->exited_ns = realtime_ns();
	service->exit_status = service->stopped ? 0 : STATUS_DIED;
	list_for_each_safe (it, tmp, &service->waiting) {
		struct waiting *waiting = list_entry(it, struct waiting, link);

		list_remove(&waiting->link);
		if (waiting->what == WAITS_FOR_READY)
			rpc_fail(waiting->call, why);
		else if (waiting->what == WAITS_FOR_END)
			answer_wait(shim, waiting->call);
		else
			rpc_reply_empty(waiting->call);
		free(waiting);
	}
}

void shim_pod_free(struct shim *shim)
{
	free(shim->pod_service);
	shim->pod_service = NULL;
}

/* --- the calls -------------------------------------------------------------------------------- */

/* containerd writes a config.json only where it was given a spec for the pod. */
static int read_bundle(const Pod__CreateSandboxRequest *req, char **ret, size_t *ret_size,
		       struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	*ret_size = 0;
	if (req->bundle_path[0] != '/' || asprintf(&path, "%s/config.json", req->bundle_path) < 0)
		return err_set(err, EINVAL, "sandbox: bundle_path: not an absolute path");
	r = io_read_file(AT_FDCWD, path, SPEC_MAX_BYTES, ret, ret_size);
	return r < 0 && r != -ENOENT ? err_set_errno(err, -r, "%s", path) : 0;
}

static int create(struct shim *shim, const Pod__CreateSandboxRequest *req, struct err *err)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	_cleanup_free_ char *text = NULL;
	struct pod_plan plan = {.id = req->sandbox_id, .disk = {.fd = -1}};
	size_t size;
	int r;

	if (shim->own_pod || strcmp(req->sandbox_id, shim->pod->id) != 0)
		return err_set(err, EINVAL, "sandbox: sandbox_id: this shim is another pod's");
	if (shim->pod_service || shim->sandbox.state != SANDBOX_NEW)
		return err_set(err, EEXIST, "the sandbox exists already");
	if (req->n_rootfs)
		return err_set(err, ENOSYS,
			       "sandbox: rootfs: not supported, the guest's own is sbx's");
	r = read_bundle(req, &text, &size, err);
	if (r == 0)
		r = pod_spec_build(req, bytes_of((const uint8_t *)text, size), &spec, err);
	if (r < 0)
		return r;
	plan.spec = spec;
	shim->pod_service = calloc(1, sizeof(*shim->pod_service));
	if (!shim->pod_service)
		return err_set(err, ENOMEM, "out of memory");
	list_init(&shim->pod_service->waiting);
	shim->pod_service->created_ns = realtime_ns();
	r = shim_start_sandbox(shim, &plan, NULL, err);
	if (r < 0)
		shim_pod_free(shim);
	return r;
}

static void handle_create(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct err err = ERR_INIT;

	if (create(task_shim(data), (const Pod__CreateSandboxRequest *)msg, &err) < 0)
		rpc_fail(call, &err);
	else
		rpc_reply_empty(call);
}

static void handle_start(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = task_shim(data);

	if (!is_pod(shim, ((const Pod__StartSandboxRequest *)msg)->sandbox_id, call))
		return;
	if (shim->sandbox.state == SANDBOX_DEAD)
		rpc_fail(call, &shim->sandbox.why);
	else if (shim->sandbox.state == SANDBOX_READY)
		answer_start(shim, call);
	else
		wait_for(shim->pod_service, WAITS_FOR_READY, call);
}

static void handle_platform(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Pod__PlatformResponse response = POD__PLATFORM_RESPONSE__INIT;
	Pod__PlatformType platform = POD__PLATFORM_TYPE__INIT;

	platform.os = (char *)"linux";
	platform.architecture = (char *)"amd64";
	response.platform = &platform;
	rpc_reply(call, &response.base);
}

static void handle_stop(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = task_shim(data);

	if (!is_pod(shim, ((const Pod__StopSandboxRequest *)msg)->sandbox_id, call))
		return;
	if (shim->pod_service->exited_ns) {
		rpc_reply_empty(call);
		return;
	}
	wait_for(shim->pod_service, WAITS_FOR_STOP, call);
	shim->pod_service->stopped = true;
	sandbox_stop(&shim->sandbox);
}

static void handle_wait(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = task_shim(data);

	if (!is_pod(shim, ((const Pod__WaitSandboxRequest *)msg)->sandbox_id, call))
		return;
	if (shim->pod_service->exited_ns)
		answer_wait(shim, call);
	else
		wait_for(shim->pod_service, WAITS_FOR_END, call);
}

static void handle_status(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Pod__SandboxStatusRequest *req = (const Pod__SandboxStatusRequest *)msg;
	Pod__SandboxStatusResponse response = POD__SANDBOX_STATUS_RESPONSE__INIT;
	Pod__KeyValue version = POD__KEY_VALUE__INIT, machine = POD__KEY_VALUE__INIT;
	Pod__KeyValue *info[] = {&version, &machine};
	struct shim *shim = task_shim(data);
	Google__Timestamp created, exited;
	bool ready;

	if (!is_pod(shim, req->sandbox_id, call))
		return;
	ready = shim->sandbox.state == SANDBOX_READY;
	response.sandbox_id = req->sandbox_id;
	response.pid = shim->sandbox.hv ? (uint32_t)shim->sandbox.hv->pid : 0;
	response.state = (char *)(ready ? "SANDBOX_READY" : "SANDBOX_NOTREADY");
	response.created_at = container_timestamp(shim->pod_service->created_ns, &created);
	response.exited_at = container_timestamp(shim->pod_service->exited_ns, &exited);
	if (req->verbose) {
		version.key = (char *)"sbx.version";
		version.value = (char *)sbx_version;
		machine.key = (char *)"sbx.hypervisor";
		machine.value =
			(char *)(shim->sandbox.hv ? shim->sandbox.hv->ops->name : "none any more");
		response.info = info;
		response.n_info = ARRAY_SIZE(info);
	}
	rpc_reply(call, &response.base);
}

static void handle_ping(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = task_shim(data);

	if (!is_pod(shim, ((const Pod__PingRequest *)msg)->sandbox_id, call))
		return;
	if (shim->sandbox.state == SANDBOX_DEAD)
		rpc_fail(call, &shim->sandbox.why);
	else
		rpc_reply_empty(call);
}

/* Also of one that was never created: it ends the shim. */
static void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct shim *shim = task_shim(data);

	if (strcmp(((const Pod__ShutdownSandboxRequest *)msg)->sandbox_id, shim->pod->id) != 0) {
		task_fail(call, ENOENT, "this shim is another pod's");
		return;
	}
	shim_shut_down_for(shim, call);
}

/* --- metrics ---------------------------------------------------------------------------------- */

struct measuring {
	struct rpc_call *call;
	char id[POD_ID_MAX + 1];
};

static void on_stats(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	Pod__SandboxMetricsResponse response = POD__SANDBOX_METRICS_RESPONSE__INIT;
	Pod__Metric metric = POD__METRIC__INIT;
	Google__Any any = GOOGLE__ANY__INIT;
	_cleanup_free_ struct measuring *measuring = data;
	struct rpc_call *call = measuring->call;
	Google__Timestamp now;

	if (err) {
		rpc_fail(call, err);
		return;
	}
	if (task_stats_pack((const Agent__StatsResponse *)reply, task_stats_legacy(), &any) < 0) {
		task_fail(call, ENOMEM, "out of memory");
		return;
	}
	metric.timestamp = container_timestamp(realtime_ns(), &now);
	metric.id = measuring->id;
	metric.data = &any;
	response.metrics = &metric;
	rpc_reply(call, &response.base);
	free(any.value.data);
}

/* Of all its containers together. */
static void handle_metrics(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Agent__ContainerRequest request = AGENT__CONTAINER_REQUEST__INIT;
	struct shim *shim = task_shim(data);
	struct measuring *measuring;

	if (!is_pod(shim, ((const Pod__SandboxMetricsRequest *)msg)->sandbox_id, call))
		return;
	measuring = calloc(1, sizeof(*measuring));
	if (measuring) {
		measuring->call = call;
		snprintf(measuring->id, sizeof(measuring->id), "%s", shim->pod->id);
	}
	if (!measuring || agent_client_call(shim->sandbox.agent, "Stats", &request.base, 0,
					    on_stats, measuring) < 0) {
		free(measuring);
		task_fail(call, EPIPE, "the agent cannot be asked");
	}
}

static const struct rpc_method methods[] = {
	{"CreateSandbox", handle_create},   {"StartSandbox", handle_start},
	{"Platform", handle_platform},      {"StopSandbox", handle_stop},
	{"WaitSandbox", handle_wait},       {"SandboxStatus", handle_status},
	{"PingSandbox", handle_ping},       {"ShutdownSandbox", handle_shutdown},
	{"SandboxMetrics", handle_metrics},
};

const struct rpc_service shim_pod_service = {
	.desc = &pod__sandbox__descriptor,
	.methods = methods,
	.n_methods = ARRAY_SIZE(methods),
};
