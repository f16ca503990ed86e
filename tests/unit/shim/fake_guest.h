/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim without a VM, a client of it, and an agent that keeps each call until the test answers it: for what
 * depends on when a guest answers, and what.
 */
#ifndef TESTS_UNIT_SHIM_FAKE_GUEST_H
#define TESTS_UNIT_SHIM_FAKE_GUEST_H

#include "common/rpc.h"
#include "shim/container.h"
#include "shim/shim.h"

struct guest {
	char *dir; /* the pod's */
	struct shim *shim;
	struct client *server;       /* the shim's end of client */
	struct rpc_conn *client;     /* asks the Task service */
	struct container *container; /* "c", created and watched */
	char answers[512]; /* what the client was answered, in order: "e1;e2 failed (5);" */
	char said[256];    /* the last failure's text */
	bool ends;         /* the shim has been shut down */
	bool hasty;        /* timers that are armed from now on run out a hundred times as fast */
};

extern struct guest guest;

void guest_set_up(void);
void guest_tear_down(void);
void guest_turns(void);
/* So much time passes for who is in haste; a hundredth of it. */
void guest_waits(unsigned seconds);

/* The agent's open call of a method for a process, to be answered; a test fails without. */
struct rpc_call *guest_take(const char *method, const char *exec_id);
bool guest_was_asked(const char *method, const char *exec_id);
/* Wait is answered; anything else with nothing in it, or with an error. */
void guest_exits(const char *exec_id, uint32_t status);
void guest_answers(const char *method, const char *exec_id);
void guest_refuses(const char *method, const char *exec_id, int code, const char *text);
/* Closes its connection, with all that is open. */
void guest_goes(void);

/* Of the Task service; name is what the answer is noted by. */
void guest_ask(const char *method, const ProtobufCMessage *request, const char *name);
/* A call of the client's that the test answers, for one that the shim has open. */
struct rpc_call *guest_keep_call(const char *name);
void guest_ask_start(const char *exec_id, const char *name);
void guest_ask_delete(const char *exec_id, const char *name);
void guest_ask_kill(const char *exec_id, uint32_t signal, const char *name);

/* One that runs, and whose end the agent was asked for. */
struct process *guest_add_exec(const char *id);
/* For one that is to be started. */
void guest_give_spec(struct process *exec);

#endif
