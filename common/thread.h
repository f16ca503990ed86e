/* SPDX-License-Identifier: Apache-2.0 */
/* Threads beside a process's loop, for what would make the loop wait. */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>

/*
 * Runs run(data) on a thread with every signal blocked: a process's loop is where signals are dealt
 * with. Its stack is small, so that no huge page lies behind it; a few buffers fit. *ret is joined by
 * the caller; with NULL nobody joins it. Returns 0 or -errno.
 */
int thread_run(void *(*run)(void *data), void *data, pthread_t *ret);

#endif
