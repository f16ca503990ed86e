/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from one descriptor to another, one direction, on the event loop: spliced where either end
 * is a pipe, else through one small buffer. A relay holds back its source while its destination is
 * full, and never holds more than that buffer.
 */
#ifndef SHIM_RELAY_H
#define SHIM_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

struct loop;
struct relay;

/*
 * The relay has ended: why is 0 at the end of the source, -EPIPE where the destination takes no
 * more, else -errno. Never called from within relay_create() or relay_destroy().
 */
typedef void (*relay_fn)(struct relay *relay, int why, void *data);

/*
 * src and dst are borrowed and must not block (files excepted); one descriptor can be in one relay
 * only, a duplicate does for a second.
 */
int relay_create(struct loop *loop, int src, int dst, relay_fn done, void *data,
		 struct relay **ret);
void relay_destroy(struct relay *relay);
DEFINE_CLEANUP(struct relay, relay_destroy)

/* dst is a file (log_file.h): of what reaches it the newest bytes are kept, so many. */
void relay_keep(struct relay *relay, uint64_t bytes);

/* Bytes that have reached the destination. */
uint64_t relay_count(const struct relay *relay);

#endif
