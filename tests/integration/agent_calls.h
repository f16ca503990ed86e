/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's RPCs as the cases of host_agent.c make them: a call each, and a container's whole life
 * in one. All return 0 or -errno, with the agent's own words in err.
 */
#ifndef TESTS_AGENT_CALLS_H
#define TESTS_AGENT_CALLS_H

#include "tests/integration/agent_harness.h"
#include "tests/integration/agent_spec.h"

/* What came of a process. The streams belong to the harness. */
struct result {
	uint32_t status;
	bool oom_killed;
	struct stream *in, *out, *err;
};

int call_process(const char *method, const char *id, const char *exec_id, struct err *err);
int call_container(const char *method, const char *id, ProtobufCMessage **ret, struct err *err);
int call_kill(const char *id, const char *exec_id, int signo, bool all, struct err *err);
/* The exit status of id, or of its exec_id, into result. */
int call_wait(const char *id, const char *exec_id, struct result *result, struct err *err);

/* Create, with streams of its own. */
int create(struct spec *spec, struct result *result, struct err *err);
/* Create and Start. */
int begin(struct spec *spec, struct result *result, struct err *err);
/* Waits for init, then for the ends of its streams, and deletes the container. */
int finish(struct spec *spec, struct result *result, struct err *err);
/* begin() and finish(). */
int run(struct spec *spec, struct result *result, struct err *err);
/* Exec of spec's process in container id, with streams of its own. */
int exec(struct spec *spec, const char *id, const char *exec_id, struct result *result,
	 struct err *err);

/* A condition for host_until(); data is a struct result. */
bool streams_ended(void *data);
/* What has come of a stream; "" of none. */
const char *text(const struct stream *stream);

#endif
