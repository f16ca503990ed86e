/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a few threads for what may block, so that the loop never does.
 *
 * A job belongs to its owner, who submits it and gets it back by done(), on the loop's thread, in
 * any order. Between the two nobody else touches it. The threads start with the first job: a device
 * that is never used costs nothing. Nothing is allocated per job.
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
/* Nothing may be with the workers any more: see workers_drain(). */
void workers_destroy(struct workers *workers);
DEFINE_CLEANUP(struct workers, workers_destroy)

/* Where no thread can be had, the job runs here and now; done() follows from the loop all the same. */
void workers_submit(struct workers *workers, struct job *job);

/* Waits for every job and calls its done(). */
void workers_drain(struct workers *workers);

#endif
