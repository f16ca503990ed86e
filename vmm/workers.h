/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a few threads for what may block, so that the loop never does.
 *
 * A job belongs to its owner, who submits it and gets it back by done(), on the loop's thread, in
 * any order. Between the two nobody else touches it. The threads start all at once, while threads may
 * be started: later on, no list of system calls (seccomp.h) has that. Nothing is allocated per job.
 */
#ifndef VMM_WORKERS_H
#define VMM_WORKERS_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/list.h"

struct loop;
struct workers;

struct job {
	struct list link;
	void (*run)(struct job *job);  /* on a worker */
	void (*done)(struct job *job); /* on the loop's thread */
};

int workers_create(struct loop *loop, const char *name, unsigned n, struct workers **ret);
/* Starts the threads, before the first job. 0 or -errno. */
int workers_start(struct workers *workers);
/* Nothing may be with the workers any more: see workers_drain(). */
void workers_destroy(struct workers *workers);
DEFINE_CLEANUP(struct workers, workers_destroy)

void workers_submit(struct workers *workers, struct job *job);

/* Waits for every job and calls its done(). */
void workers_drain(struct workers *workers);

#endif
