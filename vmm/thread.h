/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a monitor: how each is started. */
#ifndef VMM_THREAD_H
#define VMM_THREAD_H

#include <pthread.h>

#include "vmm/seccomp.h"

/* Stays where it is until its thread has been joined, by id. */
struct thread {
	pthread_t id;
	char name[16];
	enum seccomp_list list;
	void *(*run)(void *data);
	void *data;
};

/*
 * Starts run(data) on a thread (common/thread.h) that is confined to list before it runs. name is what
 * the system shows.
 *
 * vCPUs and workers use no heap, neither to take nor to give back: the C library would keep a part of
 * it for the thread, return that as the thread ends, and need system calls for memory that the lists
 * do not have. Returns 0 or -errno.
 */
int thread_start(struct thread *thread, const char *name, enum seccomp_list list,
		 void *(*run)(void *data), void *data);

#endif
