/* SPDX-License-Identifier: Apache-2.0 */
#include "common/thread.h"

#include <signal.h>

/* glibc's 8 MiB would be one huge page, zeroed and kept, at the first touch: 2 MiB for each thread. */
#define STACK_SIZE (256u << 10)

int thread_run(void *(*run)(void *data), void *data, pthread_t *ret)
{
	sigset_t all, saved;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r && !ret)
		r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (!r)
		r = pthread_create(ret ? ret : &thread, &attr, run, data);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}
