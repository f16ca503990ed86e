/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one process: between the client's ends (pipes, fifos, files, a terminal) and the
 * guest's stream connections. Nothing is interpreted, nothing is stored.
 */
#ifndef SHIM_STDIO_H
#define SHIM_STDIO_H

#include <stdbool.h>

#include "agent.pb-c.h"
#include "common/cleanup.h"
#include "common/err.h"

struct loop;
struct rpc_call;
struct stdio;
struct stream_hub;

/* As in Create and Exec; see proto/task.proto. Empty: /dev/null. */
struct stdio_request {
	bool terminal, clear_onlcr;
	const char *in, *out, *err;
	const char *id, *namespace; /* of the container, for a program that takes its output */
	bool own_files;             /* files are sbx's own, and bounded: log_file.h */
};

/* Every output stream has ended. Called once, not from within a function of this module. */
typedef void (*stdio_fn)(struct stdio *stdio, void *data);

/* Opens the client's ends; "fd:N" takes them from call, which may be NULL otherwise. */
int stdio_create(struct loop *loop, struct rpc_call *call, const struct stdio_request *request,
		 stdio_fn drained, void *data, struct stdio **ret, struct err *err);
void stdio_destroy(struct stdio *stdio);
DEFINE_CLEANUP(struct stdio, stdio_destroy)

/* Gets the streams their ids; from then on the guest may dial. */
int stdio_expect(struct stdio *stdio, struct stream_hub *hub, Agent__Streams *ret);

/* The client says that no more input will come. */
void stdio_close_stdin(struct stdio *stdio);

/* Closes everything now; whatever is on its way is lost. The drained callback still comes. */
void stdio_drop(struct stdio *stdio);

bool stdio_is_drained(const struct stdio *stdio);

#endif
