/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's owner: one process that holds the pod's VM, its containers and its record, and answers
 * on one socket. Everything happens on its one event loop.
 */
#ifndef SHIM_SHIM_H
#define SHIM_SHIM_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/list.h"
#include "common/rpc.h"
#include "shim/memory_volume.h"
#include "shim/net.h"
#include "shim/pod_dir.h"
#include "shim/pod_grow.h"
#include "shim/record.h"
#include "shim/sandbox.h"

struct container;
struct forward;
struct loop;
struct pod_service;
struct publisher;
struct source;

struct shim {
	struct loop *loop;
	struct pod_dir *pod;
	struct record record;
	struct sandbox sandbox;
	struct pod_grow grow;
	struct net net;              /* outlives the sandbox's VM */
	struct container *net_taker; /* who waits for it to be attached; NULL: nobody */
	struct forward *forward;     /* NULL: nobody may want to reach the pod's loopback address */
	struct memory_volumes volumes;
	struct list containers;          /* struct container */
	struct list clients;             /* struct client */
	struct publisher *publisher;     /* to containerd; NULL: nobody wants events */
	struct pod_service *pod_service; /* NULL: the pod was made by its first container */
	int listen_fd, log_fd;
	struct source *listener, *linger, *closer;
	struct rpc_call *shutdown; /* who asked, answered when the pod is gone; NULL: nobody */
	uint32_t slots;            /* disk slots taken, a bit each */
	bool own_pod; /* one of sbx's own, namespace "sbx": it has a record, and paths are trusted */
	bool closing;
};

/* Open calls of a client. containerd has one connection for all, and leaves a Wait open for every client of
 * its own that has gone; those of one process must not be in the way of everything else. */
#define SHIM_MAX_CALLS 8192

/* A connection to us; the data of every handler. */
struct client {
	struct list link;
	struct shim *shim;
	struct rpc_conn *conn;
	bool holds;                     /* the pod ends with this connection */
	pid_t pid;                      /* of the peer; 0: not known */
	char waits_for[POD_ID_MAX + 1]; /* the container whose end it asked for last */
};

/* A namespace that is sbx's own. */
#define SHIM_OWN_NAMESPACE "sbx"

/*
 * Serves until the pod has ended; the process's exit code. Takes the pod (locked), listen_fd and
 * client_fd (a connection to begin with; -1: none); log_fd is the log's and the helpers' stderr.
 */
int shim_serve(struct pod_dir *pod, int listen_fd, int client_fd, int log_fd);

/* Ends the VM and, once every answer is written, the process. why: for the record; NULL: as asked. */
void shim_shut_down(struct shim *shim, const char *why);
/* The same for a client, who may start a pod of that name once call is answered. */
void shim_shut_down_for(struct shim *shim, struct rpc_call *call);
/* The same where it has neither a client nor a container any more. */
void shim_end_if_unused(struct shim *shim);

/* Its one container has ended, and the machine ends before anybody is told (container_lets_go()). */
bool shim_lets_go(const struct shim *shim);

/* A free disk slot of the VM, which is then taken; -1: none. Freeing also empties the slot. */
int shim_take_slot(struct shim *shim);
void shim_free_slot(struct shim *shim, int slot);

/* The container that the process pid of the host stands for: it has a connection to us, on which it
 * waits for that container. NULL: none. */
struct container *shim_find_stood_for(struct shim *shim, pid_t pid);

/* Writes the record, where the pod has one. */
void shim_save_record(struct shim *shim);

/* What a pod's machine is made from. */
struct pod_plan {
	struct spec *spec;           /* the first container's, or the pod's own */
	const char *id;              /* of which it is */
	struct hypervisor_disk disk; /* of the first container; fd -1: none */
	bool shares;                 /* the first container has shared folders */
};

/* Starts the VM; on_sandbox_ready or on_sandbox_failed follows where this returns 0. */
int shim_start_sandbox(struct shim *shim, const struct pod_plan *plan, const Google__Any *options,
		       struct err *err);

/* Create of the Task service; data is a struct client. */
void shim_handle_create(struct rpc_call *call, const ProtobufCMessage *msg, void *data);

/* For the Sandbox service: the VM is ready, has ended; the shim ends. */
void shim_pod_ready(struct shim *shim);
void shim_pod_ended(struct shim *shim, const struct err *why);
void shim_pod_free(struct shim *shim);

extern const struct rpc_service shim_pod_service; /* containerd's Sandbox service */
extern const struct rpc_service shim_task_service;
extern const struct rpc_service shim_task_v3_service;
extern const struct rpc_service shim_sandbox_service;

#endif
