/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs do with pods: find one by name or id, and ask its shim. */
#ifndef SHIM_CLI_POD_H
#define SHIM_CLI_POD_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/pod_dir.h"
#include "shim/record.h"

struct loop;
struct rpc_conn;

/* A client's connection to a shim. */
struct cli_shim {
	struct loop *loop;
	struct rpc_conn *conn;
	bool lost; /* the shim has closed it */
};

/*
 * Sweeps, then finds a pod by its name, its id, or the only id that begins with ref. -ENOENT where
 * there is none. *ret_record (may be NULL) is the caller's to finish.
 */
int cli_find_pod(const char *ref, struct pod_dir **ret, struct record *ret_record, struct err *err);

/* Connects to the pod's shim and greets it; -ENOENT where it has none, which means that it ended. */
int cli_shim_connect(const struct pod_dir *pod, struct cli_shim *ret, struct err *err);
/* The same over a connected socket, which is taken over. */
int cli_shim_open(int fd, struct cli_shim *ret, struct err *err);
/* Returns when the shim has closed the connection, the last thing that it does, or after ms. */
void cli_shim_await_end(struct cli_shim *shim, int ms);
void cli_shim_close(struct cli_shim *shim);

#define _cleanup_cli_shim_ __attribute__((cleanup(cli_shim_close)))

/* Calls a method of the Task service, or of sbx's own, with fds, and waits for the answer. */
int cli_task(struct cli_shim *shim, const char *method, const ProtobufCMessage *request,
	     const int *fds, size_t n_fds, ProtobufCMessage **ret_reply, struct err *err);
int cli_sandbox(struct cli_shim *shim, const char *method, ProtobufCMessage **ret_reply,
		struct err *err);

/* The everyday ones, on the pod's container, whose guest may not answer. timeout_ms 0: none; -ETIMEDOUT. */
int cli_task_kill(struct cli_shim *shim, const char *id, int timeout_ms, uint32_t signo,
		  struct err *err);
int cli_task_wait(struct cli_shim *shim, const char *id, int timeout_ms, uint32_t *ret_status,
		  struct err *err);
/* Kills the container and waits for its end, for timeout_ms each at the most. */
int cli_task_end(struct cli_shim *shim, const char *id, int timeout_ms, struct err *err);
/* Ends the pod, whatever it does, and returns when nothing but its record is left. */
int cli_task_shut_down(struct cli_shim *shim, const char *id, struct err *err);

/* A signal's number from "TERM", "SIGTERM" or "15"; -EINVAL. */
int cli_parse_signal(const char *text);

#endif
