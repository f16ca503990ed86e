/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the Task service share: shim_task.c has the service and the calls about processes,
 * shim_task_kill.c one of them, shim_task_container.c those about containers. */
#ifndef SHIM_SHIM_TASK_INTERNAL_H
#define SHIM_SHIM_TASK_INTERNAL_H

#include "common/rpc.h"

/* In the words that containerd looks for. */
#define TASK_FINISHED "process already finished"

struct container;
struct process;
struct shim;

void task_fail(struct rpc_call *call, int code, const char *text);
/* Of a handler's data. */
struct shim *task_shim(void *data);
/* The process where it is there and has not ended; else NULL, and the call has been answered. */
struct process *task_find_running(struct shim *shim, const char *id, const char *exec_id,
				  struct rpc_call *call);
/* Asks the agent; its answer goes to done, whose data is call. */
void task_forward(struct shim *shim, struct rpc_call *call, const char *method,
		  const ProtobufCMessage *request, rpc_done done);
/* The agent's answer is the client's. */
void task_on_forwarded(const ProtobufCMessage *reply, const struct err *err, void *data);

/* The pause of a container is over, or the container: starts of execs that waited for that go on, or fail. */
void task_release_starts(struct container *container);

void task_handle_kill(struct rpc_call *call, const ProtobufCMessage *msg, void *data);
void task_handle_pids(struct rpc_call *call, const ProtobufCMessage *msg, void *data);
void task_handle_stats(struct rpc_call *call, const ProtobufCMessage *msg, void *data);
void task_handle_pause(struct rpc_call *call, const ProtobufCMessage *msg, void *data);
void task_handle_resume(struct rpc_call *call, const ProtobufCMessage *msg, void *data);
void task_handle_update(struct rpc_call *call, const ProtobufCMessage *msg, void *data);

#endif
