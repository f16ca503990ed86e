/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's virtual machine from the shim's side: hypervisor, agent connection, stream hub and the
 * stages of its start. Containers are container.h's.
 */
#ifndef SHIM_SANDBOX_H
#define SHIM_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/agent_client.h"
#include "shim/hypervisor.h"
#include "shim/stages.h"

struct guest_clock;
struct loop;
struct share;
struct stream_hub;

/* Strings and descriptors are the caller's and needed during sandbox_start() only. */
struct sandbox_config {
	const char *hypervisor; /* "vmm"; NULL: the default */
	const char *kernel;     /* path; NULL: our own */
	const char *hostname;
	Spec__KeyValue **sysctl; /* of the namespaces that its containers share */
	size_t n_sysctl;
	uint64_t memory;
	unsigned cpus;
	uint64_t max_memory; /* that it may be given later; 0: no more */
	unsigned max_cpus;   /* the same */
	bool debug;
	struct hypervisor_disk disks[HYPERVISOR_MAX_DISKS];
	size_t n_disks;
	bool shares; /* the first container has shared folders */
	/* No container will join it: what the first one does not need, the guest need not look at. */
	bool alone;
	struct hypervisor_net net;
	struct hypervisor_rates rates;
	const Agent__UpdateNetworkRequest *network; /* outlives the sandbox; NULL: none */
	int pod_dirfd;
	const char *pod_path;
	int log_fd;    /* readable too; stays open */
	int oom_score; /* of the VM's processes; oom_score.h */
};

enum sandbox_state { SANDBOX_NEW, SANDBOX_STARTING, SANDBOX_READY, SANDBOX_DEAD };

struct sandbox_events {
	void (*ready)(void *data);
	/* The VM has ended, or never came up; why names the stage. Called once, unless stopped. */
	void (*failed)(const struct err *why, void *data);
	void *data;
};

struct sandbox {
	struct loop *loop;
	enum sandbox_state state;
	struct sandbox_events events;
	struct hypervisor *hv;
	struct agent_client *agent;
	struct stream_hub *hub;
	struct share *share; /* NULL until the first shared folder */
	struct guest_clock *clock;
	struct source *deadline, *failure;
	struct stages stages;
	uint64_t begin_ns;
	struct err why;  /* of the failure */
	int log_fd;      /* borrowed */
	off_t log_start; /* what it held before the VM's start */
	bool agent_lost;
	bool alone; /* there will be one container only */
};

void sandbox_init(struct sandbox *sandbox, struct loop *loop, const struct sandbox_events *events);
/* Ends the VM and frees all; open agent calls fail from within. */
/* The guest does not do what it must: the sandbox has failed. what: for people. */
void sandbox_give_up(struct sandbox *sandbox, const char *what);
/* Of a sandbox that has failed: fails all that is asked of the agent, the file server and the monitor. What
 * they were asked for may be freed afterwards. */
void sandbox_hang_up(struct sandbox *sandbox);
void sandbox_finish(struct sandbox *sandbox);

/* Starts the VM; ready or failed follows where this returns 0. */
int sandbox_start(struct sandbox *sandbox, const struct sandbox_config *config, struct err *err);

/* A helper of the start has failed; what is followed by the log's last words. Once it runs: nothing. */
void sandbox_abort_start(struct sandbox *sandbox, const char *what);

/* Ends the VM; failed follows, at the end of the turn, and may free it. */
void sandbox_stop(struct sandbox *sandbox);

/* The console's last lines for a person: printable, at most max bytes with the NUL. */
size_t sandbox_console(const struct sandbox *sandbox, char *buf, size_t max);

#endif
