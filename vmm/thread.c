// SPDX-License-Identifier: Apache-2.0
#include "vmm/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/cleanup.h"

/* glibc's 8 MiB would be one huge page, zeroed and kept, at the first touch: 2 MiB for each thread. */
#define STACK_SIZE (256u << 10)

struct start {
	char name[16];
	enum seccomp_list list;
	void *(*run)(void *data);
	void *data;
};

static void *begin(void *data)
{
	const struct start start = *(struct start *)data;

	free(data);
	pthread_setname_np(pthread_self(), start.name);
	/* A thread without its list would be the way out. */
	if (seccomp_enter(start.list) < 0)
		abort();
	return start.run(start.data);
}

static int create(pthread_t *ret, struct start *start)
{
	pthread_attr_t attr;
	sigset_t all, saved;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!r)
		r = pthread_create(ret, &attr, begin, start);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int thread_start(pthread_t *ret, const char *name, enum seccomp_list list, void *(*run)(void *data),
		 void *data)
{
	struct start *start = malloc(sizeof(*start));
	int r;

	if (!start)
		return -ENOMEM;
	*start = (struct start){.list = list, .run = run, .data = data};
	snprintf(start->name, sizeof(start->name), "%s", name);
	r = create(ret, start);
	if (r < 0)
		free(start);
	return r;
}
