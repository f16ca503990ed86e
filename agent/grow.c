/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a vCPU is online when the write that asks for it returns. Memory comes without us:
 * the kernel's driver plugs what the host offers and brings it online block by block. It tells nobody when
 * that was part of a block that it had already, so a Grow that waits for memory looks again and again, a
 * hundred times a second and for some seconds at most; then it is answered with what there is.
 */
#include "agent/grow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent.pb-c.h"
#include "agent/agent.h"
#include "agent/cgroup.h"
#include "agent/service.h"
#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/rpc.h"

#define MAX_CPUS    512
#define LOOK_NS     10000000ull
#define DEADLINE_NS (10 * 1000000000ull)

uint32_t grow_cpus_online(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (uint32_t)n : 1;
}

void grow_cpus(uint32_t want)
{
	for (unsigned int i = 1; i < MAX_CPUS && (!want || grow_cpus_online() < want); i++) {
		char path[64];

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", i);
		if (io_write_value(AT_FDCWD, path, "1") == -ENOENT)
			return;
	}
}

uint64_t grow_memory_bytes(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

struct growing {
	struct rpc_call *call;
	uint64_t booted, want, deadline; /* bytes, bytes, CLOCK_MONOTONIC */
	struct source *timer;
};

static uint64_t added(uint64_t booted)
{
	uint64_t now = grow_memory_bytes();

	return now > booted ? now - booted : 0;
}

static void answer(struct rpc_call *call, uint64_t booted)
{
	Agent__GrowResponse reply = AGENT__GROW_RESPONSE__INIT;
	int r;

	reply.cpus_online = grow_cpus_online();
	reply.memory = added(booted);
	if (reply.memory && (r = cgroup_grow(reply.memory)) < 0)
		log_warn("the containers keep the memory that they have: %s", strerrordesc_np(-r));
	rpc_reply(call, &reply.base);
}

static void on_look(struct source *source, uint32_t events, void *data)
{
	struct growing *growing = data;

	if (added(growing->booted) < growing->want && now_ns() < growing->deadline) {
		source_arm(source, LOOK_NS);
		return;
	}
	answer(growing->call, growing->booted);
	source_remove(source);
	free(growing);
}

void handle_grow(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__GrowRequest *request = (const Agent__GrowRequest *)msg;
	const struct agent *agent = data;
	struct growing *growing;
	struct err err = ERR_INIT;
	int r;

	if (request->cpus)
		grow_cpus(request->cpus);
	if (added(agent->memory) >= request->memory) {
		answer(call, agent->memory);
		return;
	}
	growing = malloc(sizeof(*growing));
	r = growing ? loop_add_timer(agent->loop, on_look, growing, &growing->timer) : -ENOMEM;
	if (r < 0) {
		free(growing);
		err_set_errno(&err, -r, "waiting for memory");
		rpc_fail(call, &err);
		return;
	}
	growing->call = call;
	growing->booted = agent->memory;
	growing->want = request->memory;
	growing->deadline = now_ns() + DEADLINE_NS;
	source_arm(growing->timer, LOOK_NS);
}
