/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one process: each a connection to the host, opened by the agent, and on the other
 * side a pipe of the process, or its terminal's master.
 */
#ifndef AGENT_STDIO_H
#define AGENT_STDIO_H

#include <stdbool.h>
#include <stdint.h>

#include "agent.pb-c.h"
#include "common/cleanup.h"
#include "common/err.h"

struct loop;
struct stdio;

struct stdio_events {
	/* All connections stand (0), or one could not be made (err). Once, never from stdio_open(). */
	void (*on_connected)(const struct err *err, void *data);
	/* After stdio_exited(): everything that the process wrote has gone to the host. Once, perhaps
	 * from within stdio_exited(). */
	void (*on_drained)(void *data);
};

/*
 * Dials the host for every stream with an id. For pipes, child_fds gets the process's ends, which
 * are the caller's, -1 where there is no stream. *ret is freed by stdio_close().
 */
int stdio_open(struct loop *loop, const Agent__Streams *streams, bool terminal,
	       const struct stdio_events *events, void *data, int child_fds[3], struct stdio **ret,
	       struct err *err);
/* Closes everything, drained or not. May be called from the callbacks. */
void stdio_close(struct stdio *io);
DEFINE_CLEANUP(struct stdio, stdio_close)

/* The terminal's master, taken over, also on failure. -EINVAL where no terminal was asked for. */
int stdio_set_terminal(struct stdio *io, int master);
int stdio_resize(struct stdio *io, uint16_t rows, uint16_t columns);
/* End of file for the process. A terminal has none to give: -EINVAL. */
int stdio_close_stdin(struct stdio *io);
/* The process is dead: stdin goes, output is drained, on_drained is called. */
void stdio_exited(struct stdio *io);

#endif
