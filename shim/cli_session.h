/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program inside with our own standard streams: what `sbx run` in the foreground and `sbx exec`
 * have in common. Streams are relayed, signals are passed on, the terminal follows.
 */
#ifndef SHIM_CLI_SESSION_H
#define SHIM_CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "shim/cli_pod.h"

struct session;

/* fds and uris go with Create or Exec. */
struct session_streams {
	int fds[3];
	size_t n_fds;
	const char *in, *out, *err;
};

/* All borrowed, as long as the session is there. */
struct session_options {
	const char *id, *exec_id;
	bool interactive, tty;
	int terminal; /* with tty: ours, whose size the program's follows; interactive: which turns raw */
	bool holds_signals; /* those before session_started() are for the program, too */
	bool onlcr; /* and writes CR LF for LF nevertheless, as the program's does not (task.proto) */
};

/* For who holds signals: from here on, and still when the session has ended, as there is something to undo. */
void session_hold_signals(void);

/* Whether it can be had: -ENOTTY where a terminal is wanted and there is none. */
int session_check(const struct session_options *options, struct err *err);
/*
 * Makes the streams' far ends; the terminal turns raw. Until session_started() a signal ends this
 * process, and with it what was not started yet; or it is held.
 */
int session_create(struct cli_shim *shim, const struct session_options *options,
		   struct session **ret, struct session_streams *ret_streams, struct err *err);
/* Gives the terminal back. */
void session_destroy(struct session *session);
DEFINE_CLEANUP(struct session, session_destroy)

/* The shim has its ends: ours of them close, and the relays begin. */
int session_attach(struct session *session, struct err *err);

/* The program runs: signals and the terminal's size are its from now on. */
void session_started(struct session *session);

/* Until the program has ended and all it wrote is written. */
int session_wait(struct session *session, uint32_t *ret_status, struct err *err);

#endif
