/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's connection to the agent in the guest. Everything that comes over it is the guest's
 * word: frames are at most 64 KiB, and nothing in a reply is believed beyond its own VM.
 */
#ifndef SHIM_AGENT_CLIENT_H
#define SHIM_AGENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.pb-c.h"
#include "common/cleanup.h"
#include "common/err.h"
#include "common/rpc.h"

struct agent_client;
struct loop;

struct agent_events {
	/* The agent has dialled. */
	void (*connected)(void *data);
	/* It has said hello and taken its Setup: it is ready for containers. */
	void (*ready)(const Agent__SetupResponse *setup, void *data);
	/* There is no agent any more, or there never was one that we understand. Called once. */
	void (*lost)(const struct err *err, void *data);
	void *data;
};

struct agent_setup {
	const char *hostname;
	uint32_t cpus;
	Spec__KeyValue **sysctl; /* of the namespaces that the pod's containers share */
	size_t n_sysctl;
	const Agent__UpdateNetworkRequest *network; /* NULL: none */
};

/* Listens in the pod's vsock directory; setup is copied, but for network, which stays. */
int agent_client_create(struct loop *loop, int vsock_dirfd, const struct agent_setup *setup,
			const struct agent_events *events, struct agent_client **ret,
			struct err *err);
/* Open calls fail with -ECANCELED from within. */
void agent_client_destroy(struct agent_client *client);
DEFINE_CLEANUP(struct agent_client, agent_client_destroy)

/* Calls a method of the Agent service; timeout_ms 0: none. done as rpc_invoke() has it. */
int agent_client_call(struct agent_client *client, const char *method,
		      const ProtobufCMessage *request, int timeout_ms, rpc_done done, void *data);
/* data is about to be freed, see rpc_forget(). client may be NULL. */
void agent_client_forget(struct agent_client *client, const void *data);

#endif
