/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the one event loop of a process, over epoll.
 *
 * A source is a descriptor, a timer, a signal or a deferred call. Callbacks run one at a time, in
 * the loop's thread. source_remove() may be called from any callback, on any source, its own too:
 * the source never fires again, and its memory is freed at the end of the turn, so that events
 * already fetched for it find it still there, marked dead. Nothing here polls or takes locks:
 * another thread wakes the loop by an eventfd of its own.
 *
 * Descriptors are borrowed: the owner removes the source before it closes the descriptor.
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "common/cleanup.h"

struct loop;
struct source;

typedef void (*loop_fn)(struct source *source, uint32_t events, void *data);

int loop_create(struct loop **ret);
/* Frees the loop and every source still in it. */
void loop_destroy(struct loop *loop);
DEFINE_CLEANUP(struct loop, loop_destroy)

/* events: EPOLLIN, EPOLLOUT, EPOLLET …; 0 is allowed and reports only EPOLLHUP and EPOLLERR. */
int loop_add_io(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *data,
		struct source **ret);
/* A timer, not armed. CLOCK_MONOTONIC. */
int loop_add_timer(struct loop *loop, loop_fn fn, void *data, struct source **ret);
/* Blocks signo in the calling thread and reports it; several sources may want the same one. */
int loop_add_signal(struct loop *loop, int signo, loop_fn fn, void *data, struct source **ret);
/* Runs fn once per source_defer() call, at the end of the turn, after all other callbacks. */
int loop_add_defer(struct loop *loop, loop_fn fn, void *data, struct source **ret);

int source_set_events(struct source *source, uint32_t events);
/* Fires once after delay_ns nanoseconds; 0 disarms. */
int source_arm(struct source *source, uint64_t delay_ns);
void source_defer(struct source *source);
/* NULL is a no-op. */
void source_remove(struct source *source);

/* Runs until loop_exit(). Returns its code, or -errno. */
int loop_run(struct loop *loop);
/* One turn: waits at most timeout_ms (-1: forever), runs what is due. Returns 0 or -errno. */
int loop_turn(struct loop *loop, int timeout_ms);
void loop_exit(struct loop *loop, int code);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

#endif
