// SPDX-License-Identifier: Apache-2.0
#include "vmm/thread.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/thread.h"

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
	thread->list = list;
	thread->run = run;
	thread->data = data;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	return thread_run(begin, thread, &thread->id);
}
