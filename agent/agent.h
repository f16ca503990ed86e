/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent is: its loop, its host, its containers. One object, on main()'s stack. */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ns.h"
#include "common/list.h"

struct loop;
struct rpc_conn;

#define AGENT_MAX_STAGES 16

struct agent_stage {
	const char *name;
	uint64_t boot_ns; /* CLOCK_BOOTTIME */
};

struct agent {
	struct loop *loop;
	struct rpc_conn *host;
	bool set_up;        /* Setup was answered */
	uint64_t memory;    /* that the kernel had then, in bytes */
	bool shutting_down; /* Shutdown was */
	char *resolv_conf;  /* of containers on the pod's network that bring none; NULL: none */
	struct list containers;
	size_t n_containers;
	size_t n_forwards; /* forward.c's */
	size_t n_volumes;  /* volume.c's */
	struct ns_pod pod; /* shared by containers without a pid namespace of their own */
	struct agent_stage stages[AGENT_MAX_STAGES];
	size_t n_stages;
};

/* Notes that the boot has come this far. */
void agent_stage(struct agent *agent, const char *name);

#endif
