/* SPDX-License-Identifier: Apache-2.0 */
/* The RPC service sbx.agent.v1.Agent: from requests to containers, processes and the guest. */
#ifndef AGENT_SERVICE_H
#define AGENT_SERVICE_H

#include <protobuf-c/protobuf-c.h>

struct rpc_call;
struct rpc_service;

extern const struct rpc_service agent_service;

/* rpc_handler each; data is the struct agent. By file: */

/* setup.c */
void handle_setup(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_shutdown(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* grow.c */
void handle_grow(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* clock.c */
void handle_clock(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* service_network.c */
void handle_update_network(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* forward.c */
void handle_forward(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* service_container.c */
void handle_create(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_pids(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_stats(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_pause(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_resume(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_wait_oom(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_update(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_delete(struct rpc_call *call, const ProtobufCMessage *req, void *data);

/* service_process.c */
void handle_start(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_exec(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_kill(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_wait(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_resize(struct rpc_call *call, const ProtobufCMessage *req, void *data);
void handle_close_stdin(struct rpc_call *call, const ProtobufCMessage *req, void *data);

#endif
