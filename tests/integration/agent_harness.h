/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's owner in small, for tests of the agent in a real guest: starts the VM monitor, is the
 * client of the agent's RPCs and the other end of the streams. Turns its loop inside each call.
 */
#ifndef TESTS_AGENT_HARNESS_H
#define TESTS_AGENT_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent.pb-c.h"
#include "common/err.h"
#include "common/strbuf.h"

#define MAX_STREAMS 512

struct stream {
	uint64_t id;
	int fd; /* -1: not connected yet, or ended */
	bool ended;
	bool paused;  /* nothing is read */
	bool discard; /* count, do not keep */
	uint64_t received;
	struct strbuf data;
	struct source *source;
	/* What goes to the guest. */
	const char *send;
	uint64_t send_left; /* send NULL: as many bytes of a pattern */
	uint64_t sent;
	bool close_after;
};

struct host {
	struct loop *loop;
	struct rpc_conn *agent;
	int listen_agent, listen_stream;
	pid_t vmm;
	int vmm_fd; /* pidfd */
	struct stream streams[MAX_STREAMS];
	uint64_t next_id;
};

extern struct host host;

/* Listens in dir, runs argv, waits for the agent, says hello. */
int host_start(const char *dir, char **argv, struct err *err);
/* Waits for the monitor's end. Returns its wait status, or -1 after timeout_ms. */
int host_wait_end(int timeout_ms);

/* Calls method; *ret (may be NULL) is freed with protobuf_c_message_free_unpacked(). */
int host_call(const char *method, const ProtobufCMessage *req, ProtobufCMessage **ret,
	      struct err *err);

struct stream *host_stream(void);
/* Hands the stream its input; once it is connected it goes out. */
void host_send(struct stream *stream, const void *data, uint64_t n, bool close_after);
/* Turns the loop until *flag, or the deadline. */
bool host_until(bool (*condition)(void *), void *data, int timeout_ms);

/* A pattern that a lost, doubled or moved byte breaks. */
uint8_t pattern_at(uint64_t offset);

#endif
