/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves the bytes of one process's streams, between the connections to the host and the process's
 * pipes or its terminal, on a thread of its own.
 */
#ifndef AGENT_RELAY_H
#define AGENT_RELAY_H

#include <stddef.h>
#include <stdint.h>

#define RELAY_MAX_LANES 3

struct loop;
struct relay;

enum relay_kind { RELAY_INPUT, RELAY_OUTPUT, RELAY_TERMINAL };

struct relay_lane {
	enum relay_kind kind;
	int sock; /* the connection to the host, or /dev/null */
	int fd;   /* our end of the pipe, or the terminal's master */
};

/* Every lane is through. Once, from the loop; relay_close() may be called from within. */
typedef void (*relay_ended_fn)(void *data);

/*
 * Starts to move bytes. The lanes' descriptors are taken over, but not on failure. *ret is freed by
 * relay_close(). Returns 0 or -errno; -ENOBUFS: there are too many.
 */
int relay_start(struct loop *loop, const struct relay_lane *lanes, size_t n_lanes,
		relay_ended_fn ended, void *data, struct relay **ret);
/* Moves nothing more: ended is not called. Closes all lanes, as soon as the kernel lets it. */
void relay_close(struct relay *relay);

/*
 * Closes a terminal's master that no relay has: that hangs it up, and waits for whoever writes to it. Where no
 * thread can be had it stays open, which costs a descriptor and no more.
 */
void relay_close_master(struct loop *loop, int master);

/* These only ask: the thread does it as soon as it can. */
/* End of file for the process, after what the host has sent before. A terminal has none. */
void relay_end_input(struct relay *relay);
/* The process is dead: its input ends, and its output once that is moved which it holds by now. */
void relay_drain(struct relay *relay);
void relay_resize(struct relay *relay, uint16_t rows, uint16_t columns);

#endif
