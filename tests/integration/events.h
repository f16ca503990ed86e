/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of host_events.c share: the life that is being judged, and what they offer each
 * other. The driver (host_events.c) makes calls (events_calls.c); the sink (events_sink.c) hands what
 * the shim publishes to the judge (events_judge.c).
 */
#ifndef TESTS_EVENTS_H
#define TESTS_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#define MAX_EXECS 8
#define ANY       (-1)

/* What has been seen and done of one process. */
struct proc {
	char id[32];
	bool added, started, exited, deleted; /* events */
	uint32_t event_status;
	bool asked_start; /* Start was answered without an error */
	bool ended;       /* a Wait was answered */
	int waits;        /* open */
	uint32_t status;
	int expect; /* the status it must have, or ANY */
};

struct container {
	char id[32];
	bool created;
	struct proc init, execs[MAX_EXECS];
	unsigned n_execs;
	bool oom;      /* an event */
	unsigned hogs; /* execs that want more memory than there is */
};

struct judged {
	struct loop *loop;
	struct rpc_conn *task;
	int listen_fd;
	const char *shim, *rootfs, *work;
	bool image;
	uint64_t random;
	struct container sandbox, current;
	int failures, events, ooms;
	char trace[4096];
	size_t trace_len;
};

extern struct judged t;

/* --- events_judge.c --- */
/* Notes a step of the life, to be told with what goes wrong after it. */
void __attribute__((format(printf, 1, 2))) trace(const char *fmt, ...);
void __attribute__((format(printf, 1, 2))) wrong(const char *fmt, ...);
/* An event of the container that msg names. */
void take_event(const char *topic, const ProtobufCMessage *msg);
/* All that must have come of a process; of a needed one its events, too. */
void end_of_process(struct container *c, struct proc *p, bool needed);
/* Conditions for until(), of a proc and of a container. */
bool has_no_waits(void *data);
bool is_deleted(void *data);

/* --- events_sink.c --- */
int sink_listen(void);

/* --- events_calls.c --- */
/* Turns the loop until condition, or EVENT_MS are over. */
bool until(bool (*condition)(void *), void *data);
int call(const char *method, const ProtobufCMessage *request, ProtobufCMessage **ret);
/* Asks Wait, whose answer is compared with the exit event. */
void begin_wait(struct container *c, struct proc *p);
int start(struct container *c, struct proc *p);
int kill_proc(struct container *c, struct proc *p, uint32_t signo);
int delete_proc(struct container *c, struct proc *p, uint32_t *ret_status);
void update(struct container *c);
/*
 * Makes a bundle, whose path is returned, and runs the shim's start in it. The pod's first connects
 * t.task to the address that start says.
 */
int make_shim(const char *id, const char *script, const char *type, char *bundle, size_t size);
/* The same, and a task of it. */
int create(struct container *c, const char *script, const char *type);
void remove_bundle(const char *id);

#endif
