/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: sizes are absolute and never fall, so that several growths under way at once do no
 * harm: each asks for the sum of what it found, and for no less than was asked for before.
 *
 *	the monitor   offers memory         the guest's driver plugs it, when it gets to that
 *	the agent     brings vCPUs online   and answers when that memory is there too
 *
 * What was asked for counts as there afterwards, even where the guest could not follow: it is not asked
 * again, and waited for, with each further container.
 */
#include "shim/pod_grow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent.pb-c.h"
#include "common/log.h"
#include "shim/container.h"
#include "shim/shim.h"

#define GROW_TIMEOUT_MS 30000

struct growing {
	struct shim *shim;
	struct pod_size to;
	uint64_t added; /* bytes that the monitor offers beyond what the guest booted with */
	void (*done)(void *data);
	void *data;
};

static void raise(struct pod_size *size, const struct pod_size *to)
{
	if (to->memory > size->memory)
		size->memory = to->memory;
	if (to->cpus > size->cpus)
		size->cpus = to->cpus;
}

static void finish(struct growing *growing)
{
	raise(&growing->shim->grow.now, &growing->to);
	growing->done(growing->data);
	free(growing);
}

static void on_grown(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	const Agent__GrowResponse *there = (const Agent__GrowResponse *)reply;
	struct growing *growing = data;

	if (err)
		log_warn("the pod does not grow: %s", err->msg);
	else if (there->cpus_online < growing->to.cpus || there->memory < growing->added)
		log_warn("the pod has grown to %u CPUs of %u, and by %" PRIu64 " bytes of %" PRIu64,
			 there->cpus_online, growing->to.cpus, there->memory, growing->added);
	else
		log_info("the pod has grown to %u CPUs, and by %" PRIu64 " bytes",
			 there->cpus_online, there->memory);
	finish(growing);
}

static void ask_agent(struct growing *growing)
{
	Agent__GrowRequest request = AGENT__GROW_REQUEST__INIT;
	int r;

	request.cpus = growing->to.cpus;
	request.memory = growing->added;
	r = agent_client_call(growing->shim->sandbox.agent, "Grow", &request.base, GROW_TIMEOUT_MS,
			      on_grown, growing);
	if (r == 0)
		return;
	log_warn("the pod does not grow: %s", strerrordesc_np(-r));
	finish(growing);
}

static void on_resized(const struct err *err, uint64_t added, void *data)
{
	struct growing *growing = data;

	/* Its CPUs may do all the same. */
	if (err)
		log_warn("the pod does not grow: %s", err->msg);
	growing->added = added;
	ask_agent(growing);
}

static void ask_monitor(struct growing *growing)
{
	struct hypervisor *hv = growing->shim->sandbox.hv;
	int r;

	r = hv->ops->resize_memory(hv, growing->to.memory, on_resized, growing);
	if (r == 0)
		return;
	log_warn("the pod does not grow: %s", strerrordesc_np(-r));
	finish(growing);
}

static void sum_up(const struct shim *shim, struct pod_size *ret)
{
	struct pod_demands sum = {0};
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &shim->containers)
		pod_demands_add(&sum, &list_entry(it, struct container, link)->demand);
	pod_size_for(&sum, &shim->grow.now, &shim->grow.most, ret);
}

void pod_grow(struct shim *shim, void (*done)(void *data), void *data)
{
	const struct hypervisor *hv = shim->sandbox.hv;
	struct pod_grow *grow = &shim->grow;
	struct growing *growing;
	struct pod_size to;

	sum_up(shim, &to);
	if (to.cpus <= grow->now.cpus && to.memory <= grow->now.memory) {
		done(data);
		return;
	}
	raise(&to, &grow->asked);
	grow->asked = to;
	if (!hv->ops->resize_memory) {
		log_warn("the pod does not grow: hypervisor %s cannot", hv->ops->name);
		grow->now = to;
		done(data);
		return;
	}
	growing = malloc(sizeof(*growing));
	if (!growing) {
		log_warn("the pod does not grow: out of memory");
		done(data);
		return;
	}
	*growing = (struct growing){.shim = shim, .to = to, .done = done, .data = data};
	if (to.memory > grow->now.memory)
		ask_monitor(growing);
	else
		ask_agent(growing);
}
