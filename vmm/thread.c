// SPDX-License-Identifier: Apache-2.0
#include "vmm/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/cleanup.h"

/* glibc's 8 MiB would be one huge page, zeroed and kept, at the first touch: 2 MiB for each thread. */
#define STACK_SIZE (256u << 10)

static void *begin(void *data)
{
	const struct thread *thread = data;

	pthread_setname_np(pthread_self(), thread->name);
	/* A thread without its list would be the way out. */
	if (seccomp_enter(thread->list) < 0)
		abort();
	return thread->run(thread->data);
}

int thread_start(struct thread *thread, const char *name, enum seccomp_list list,
		 void *(*run)(void *data), void *data)
{
	pthread_attr_t attr;
	sigset_t all, saved;
	int r;

	thread->list = list;
	thread->run = run;
	thread->data = data;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r)
		r = pthread_create(&thread->id, &attr, begin, thread);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}
