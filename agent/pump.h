/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes between two non-blocking descriptors as far as both allow, and holds back what does
 * not fit. Knows nothing of events or processes.
 */
#ifndef AGENT_PUMP_H
#define AGENT_PUMP_H

#include <stdbool.h>
#include <stddef.h>

enum pump_state {
	PUMP_MORE,    /* its share of a turn is used up: call again */
	PUMP_STARVED, /* nothing to read */
	PUMP_BLOCKED, /* nowhere to write to */
	PUMP_EOF,    /* the source has ended, or its limit is reached, and everything was written */
	PUMP_BROKEN, /* the destination has gone */
};

/*
 * from or to is a pipe: splice(2), no buffer of ours. *left is how many bytes may be moved still, and
 * counts down; NULL: no limit.
 */
enum pump_state pump_splice(int from, int to, bool from_is_pipe, size_t *left);

/* For terminals, which splice poorly: one small buffer a direction. */
struct pump_buffer {
	char data[4096];
	size_t begin, end;
};
enum pump_state pump_copy(int from, int to, struct pump_buffer *buffer, size_t *left);

#endif
