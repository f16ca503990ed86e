/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_pod SHIM ROOTFS WORKDIR - is containerd 2 towards a shim whose pods are made by the Sandbox
 * service: without a sandbox container, described by CRI's PodSandboxConfig. Prints "ok NAME" or "not ok
 * NAME: why" per case, as tests/integration's scripts do.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "pod.pb-c.h"
#include "task.pb-c.h"
#include "tests/integration/events.h"

#define CALL_MS 120000

struct judged t;

static char said[1024]; /* by the last call that failed */

static void check(const char *name, bool holds)
{
	if (holds)
		printf("ok %s\n", name);
	else
		printf("not ok %s: %s\n", name, said[0] ? said : "it is not so");
	t.failures += !holds;
}

/* A call of the Sandbox service. */
static int ask(const char *method, const ProtobufCMessage *request, void *ret)
{
	const struct rpc_invocation inv = {
		.service = &pod__sandbox__descriptor,
		.method = method,
		.request = request,
		.timeout_ms = CALL_MS,
	};
	struct err err = ERR_INIT;
	int r = rpc_call_sync(t.task, &inv, ret, &err);

	snprintf(said, sizeof(said), "%s", r < 0 ? err.msg : "");
	return r;
}

static void drop(void *msg)
{
	protobuf_c_message_free_unpacked(msg, NULL);
}

/* --- what CRI asks for ------------------------------------------------------------------------ */

static int create_pod(const char *id, const char *bundle, const char *sysctl)
{
	Pod__CreateSandboxRequest request = POD__CREATE_SANDBOX_REQUEST__INIT;
	Pod__PodSandboxConfig config = POD__POD_SANDBOX_CONFIG__INIT;
	Pod__LinuxPodSandboxConfig linux_config = POD__LINUX_POD_SANDBOX_CONFIG__INIT;
	Pod__LinuxContainerResources resources = POD__LINUX_CONTAINER_RESOURCES__INIT;
	Pod__KeyValue pair = POD__KEY_VALUE__INIT, *pairs[] = {&pair};
	Google__Any options = GOOGLE__ANY__INIT;
	uint8_t packed[512];

	pair.key = (char *)(uintptr_t)sysctl;
	pair.value = (char *)"81";
	resources.memory_limit_in_bytes = 128 << 20;
	resources.cpu_quota = 150000;
	resources.cpu_period = 100000;
	linux_config.sysctls = pairs;
	linux_config.n_sysctls = 1;
	linux_config.resources = &resources;
	config.hostname = (char *)"its-name";
	config.linux_config = &linux_config;
	options.type_url = (char *)"runtime.v1.PodSandboxConfig";
	options.value.len = protobuf_c_message_pack(&config.base, packed);
	options.value.data = packed;
	request.sandbox_id = (char *)(uintptr_t)id;
	request.bundle_path = (char *)(uintptr_t)bundle;
	request.options = &options;
	return ask("CreateSandbox", &request.base, NULL);
}

static uint32_t start_pod(char *id)
{
	Pod__StartSandboxRequest request = POD__START_SANDBOX_REQUEST__INIT;
	Pod__StartSandboxResponse *response = NULL;
	uint32_t pid;

	request.sandbox_id = id;
	if (ask("StartSandbox", &request.base, &response) < 0)
		return 0;
	pid = response->created_at && response->created_at->seconds > 0 ? response->pid : 0;
	drop(response);
	return pid;
}

static bool state_is(char *id, const char *state)
{
	Pod__SandboxStatusRequest request = POD__SANDBOX_STATUS_REQUEST__INIT;
	Pod__SandboxStatusResponse *response = NULL;
	bool is;

	request.sandbox_id = id;
	request.verbose = true;
	if (ask("SandboxStatus", &request.base, &response) < 0)
		return false;
	is = strcmp(response->state, state) == 0 && response->n_info == 2;
	drop(response);
	return is;
}

static int ping(char *id)
{
	Pod__PingRequest request = POD__PING_REQUEST__INIT;

	request.sandbox_id = id;
	return ask("PingSandbox", &request.base, NULL);
}

static bool runs_elsewhere(void)
{
	Pod__PlatformRequest request = POD__PLATFORM_REQUEST__INIT;
	Pod__PlatformResponse *response = NULL;
	bool is;

	if (ask("Platform", &request.base, &response) < 0)
		return false;
	is = response->platform && strcmp(response->platform->os, "linux") == 0 &&
	     strcmp(response->platform->architecture, "amd64") == 0;
	drop(response);
	return is;
}

static bool has_metrics(char *id)
{
	Pod__SandboxMetricsRequest request = POD__SANDBOX_METRICS_REQUEST__INIT;
	Pod__SandboxMetricsResponse *response = NULL;
	bool has;

	request.sandbox_id = id;
	if (ask("SandboxMetrics", &request.base, &response) < 0)
		return false;
	has = response->metrics && strcmp(response->metrics->id, id) == 0 &&
	      response->metrics->data && response->metrics->data->value.len > 8;
	drop(response);
	return has;
}

static int stop_pod(char *id)
{
	Pod__StopSandboxRequest request = POD__STOP_SANDBOX_REQUEST__INIT;

	request.sandbox_id = id;
	return ask("StopSandbox", &request.base, NULL);
}

/* The pod's exit status, or -1. */
static int wait_pod(char *id)
{
	Pod__WaitSandboxRequest request = POD__WAIT_SANDBOX_REQUEST__INIT;
	Pod__WaitSandboxResponse *response = NULL;
	int status;

	request.sandbox_id = id;
	if (ask("WaitSandbox", &request.base, &response) < 0)
		return -1;
	status = response->exited_at && response->exited_at->seconds > 0
			 ? (int)response->exit_status
			 : -1;
	drop(response);
	return status;
}

static int shut_down(char *id)
{
	Pod__ShutdownSandboxRequest request = POD__SHUTDOWN_SANDBOX_REQUEST__INIT;
	int r;

	request.sandbox_id = id;
	r = ask("ShutdownSandbox", &request.base, NULL);
	rpc_conn_close(TAKE_PTR(t.task));
	return r;
}

/* --- the cases -------------------------------------------------------------------------------- */

/* A container of the pod; its exit status, or -1. */
static int run_in_pod(const char *id, const char *script)
{
	struct container *c = &t.current;
	uint32_t status = 0;

	*c = (struct container){.init.expect = ANY};
	snprintf(c->id, sizeof(c->id), "%s", id);
	if (create(c, script, "container") < 0)
		return -1;
	begin_wait(c, &c->init);
	if (start(c, &c->init) < 0 || !until(has_no_waits, &c->init) ||
	    delete_proc(c, &c->init, &status) < 0 || !until(is_deleted, c))
		return -1;
	return (int)status;
}

static void life_of_a_pod(void)
{
	Task__ShutdownRequest shutdown = TASK__SHUTDOWN_REQUEST__INIT;
	char id[] = "pod1", bundle[400];
	uint32_t pid;

	snprintf(t.sandbox.id, sizeof(t.sandbox.id), "%s", id);
	check("the shim starts without a config.json",
	      make_shim(id, NULL, "sandbox", bundle, sizeof(bundle)) == 0);
	check("before it is created it is not there", ping(id) < 0);
	check("another pod's id is refused", create_pod("pod2", bundle, "net.core.somaxconn") < 0);
	check("CreateSandbox", create_pod(id, bundle, "net.core.somaxconn") == 0);
	check("a second CreateSandbox is refused",
	      create_pod(id, bundle, "net.core.somaxconn") < 0);
	pid = start_pod(id);
	check("StartSandbox says the monitor's process", pid > 0);
	check("and says it again", start_pod(id) == pid);
	check("its status", state_is(id, "SANDBOX_READY"));
	check("PingSandbox", ping(id) == 0);
	check("Platform", runs_elsewhere());
	check("a container joins it", run_in_pod("c1", "exit 7") == 7);
	check("in the pod's host name namespace, or its own",
	      run_in_pod("c2", "test -e /proc/version && exit 8") == 8);
	check("two CPUs for a quota of one and a half", run_in_pod("c3", "exit $(nproc)") == 2);
	check("the pod's sysctl",
	      run_in_pod("c4", "exit $(cat /proc/sys/net/core/somaxconn)") == 81);
	check("SandboxMetrics", has_metrics(id));
	/* As containerd asks after each container of a pod that it knows nothing else about. */
	shutdown.id = (char *)"c4";
	call("Shutdown", &shutdown.base, NULL);
	check("the last container's end is not the pod's", ping(id) == 0);
	check("StopSandbox", stop_pod(id) == 0);
	check("and again", stop_pod(id) == 0);
	check("it has ended with 0", wait_pod(id) == 0);
	check("its monitor is gone", kill((pid_t)pid, 0) < 0);
	check("its status after", state_is(id, "SANDBOX_NOTREADY"));
	check("it does not answer", ping(id) < 0);
	check("no container joins it", run_in_pod("c5", "exit 0") < 0);
	check("ShutdownSandbox", shut_down(id) == 0);
}

static void death_of_a_pod(void)
{
	char id[] = "pod3", bundle[400];
	uint32_t pid = 0;

	snprintf(t.sandbox.id, sizeof(t.sandbox.id), "%s", id);
	if (make_shim(id, NULL, "sandbox", bundle, sizeof(bundle)) == 0 &&
	    create_pod(id, bundle, "kernel.shmmni") == 0)
		pid = start_pod(id);
	check("a pod", pid > 0);
	if (pid)
		kill((pid_t)pid, SIGKILL);
	check("that is killed has ended with 137", wait_pod(id) == 137);
	check("and is not ready", state_is(id, "SANDBOX_NOTREADY"));
	check("and is shut down", shut_down(id) == 0);
}

/* What the guest refuses fails the start, with its words. */
static void bad_pod(void)
{
	char id[] = "pod4", bundle[400];

	snprintf(t.sandbox.id, sizeof(t.sandbox.id), "%s", id);
	if (make_shim(id, NULL, "sandbox", bundle, sizeof(bundle)) == 0)
		create_pod(id, bundle, "vm.overcommit_memory");
	check("a sysctl of the whole machine is refused by name",
	      start_pod(id) == 0 && strstr(said, "vm.overcommit_memory"));
	check("a pod that did not start is shut down", shut_down(id) == 0);
}

int main(int argc, char **argv)
{
	struct stat st;

	if (argc != 4 || stat(argv[2], &st) < 0)
		return 2;
	t.shim = argv[1];
	t.rootfs = argv[2];
	t.work = argv[3];
	t.image = S_ISREG(st.st_mode);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (loop_create(&t.loop) < 0 || sink_listen() < 0)
		return 2;
	life_of_a_pod();
	death_of_a_pod();
	bad_pod();
	return t.failures != 0;
}
