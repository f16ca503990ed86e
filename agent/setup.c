/* SPDX-License-Identifier: Apache-2.0 */
/* Setup and Shutdown: the guest as a whole. */
#include <fcntl.h>
#include <linux/random.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>

#include "agent.pb-c.h"
#include "agent/agent.h"
#include "agent/grow.h"
#include "agent/mount.h"
#include "agent/plan.h"
#include "agent/service.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/rpc.h"

#define MAX_ENTROPY 512

static int set_clock(uint64_t realtime_ns, struct err *err)
{
	struct timespec ts = {
		.tv_sec = (time_t)(realtime_ns / 1000000000u),
		.tv_nsec = (long)(realtime_ns % 1000000000u),
	};

	if (realtime_ns && clock_settime(CLOCK_REALTIME, &ts) < 0)
		return err_set_errno(err, errno, "setting the clock");
	return 0;
}

/* The host is trusted to know what is random: the pool counts all of it. */
static int add_entropy(const ProtobufCBinaryData *data, struct err *err)
{
	union {
		struct rand_pool_info info;
		char space[sizeof(struct rand_pool_info) + MAX_ENTROPY];
	} pool;
	_cleanup_close_ int fd = -1;

	if (!data->len)
		return 0;
	if (data->len > MAX_ENTROPY)
		return err_set(err, EINVAL, "more than %d bytes of entropy", MAX_ENTROPY);
	pool.info.entropy_count = (int)data->len * 8;
	pool.info.buf_size = (int)data->len;
	memcpy(pool.space + offsetof(struct rand_pool_info, buf), data->data, data->len);
	fd = open("/dev/random", O_RDWR | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0)
		return err_set_errno(err, errno, "adding entropy");
	explicit_bzero(&pool, sizeof(pool));
	return 0;
}

/* The namespaces that the pod's containers share are the agent's own. */
static int set_sysctls(const Agent__SetupRequest *req, struct err *err)
{
	const uint64_t namespaces = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS;
	int r = 0;

	for (size_t i = 0; r == 0 && i < req->n_sysctl; i++) {
		const Spec__KeyValue *kv = req->sysctl[i];

		r = plan_linux_sysctl(kv->key, kv->value, namespaces, err);
		if (r == 0)
			r = mount_sysctl(kv->key, kv->value, err);
	}
	return r;
}

static int set_up(struct agent *agent, const Agent__SetupRequest *req, struct err *err)
{
	int r;

	if (agent->set_up)
		return err_set(err, EEXIST, "the guest was set up already");
	if (strlen(req->hostname) > 64)
		return err_set(err, EINVAL, "hostname is longer than 64 bytes");
	if (req->hostname[0] && sethostname(req->hostname, strlen(req->hostname)) < 0)
		return err_set_errno(err, errno, "setting the hostname");
	r = set_sysctls(req, err);
	if (r >= 0)
		r = set_clock(req->realtime_ns, err);
	if (r >= 0)
		r = add_entropy(&req->entropy, err);
	if (r < 0)
		return r;
	grow_cpus(req->cpus);
	agent->memory = grow_memory_bytes();
	agent->set_up = true;
	return 0;
}

void handle_setup(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	Agent__SetupResponse reply = AGENT__SETUP_RESPONSE__INIT;
	Agent__GuestStage stages[AGENT_MAX_STAGES], *pointers[AGENT_MAX_STAGES];
	struct agent *agent = data;
	struct err err = ERR_INIT;
	struct utsname name;

	if (set_up(agent, (const Agent__SetupRequest *)msg, &err) < 0) {
		rpc_fail(call, &err);
		return;
	}
	if (uname(&name) == 0)
		reply.kernel = name.release;
	reply.memory_bytes = agent->memory;
	reply.cpus_online = grow_cpus_online();
	agent_stage(agent, "set up");
	for (size_t i = 0; i < agent->n_stages; i++) {
		agent__guest_stage__init(&stages[i]);
		/* protobuf-c's structs know no const; packing only reads. */
		stages[i].name = (char *)(uintptr_t)agent->stages[i].name;
		stages[i].boot_ns = agent->stages[i].boot_ns;
		pointers[i] = &stages[i];
	}
	reply.n_stages = agent->n_stages;
	reply.stages = pointers;
	rpc_reply(call, &reply.base);
}

void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	struct agent *agent = data;

	/* The end of the connection is what ends the guest (main.c): after the reply has left. */
	agent->shutting_down = true;
	rpc_reply_empty(call);
	rpc_conn_close_after_flush(agent->host);
}
