/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/workers.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/loop.h"
#include "vmm/thread.h"

#define WORKERS_MAX   8
#define DONE_PER_TURN 64

struct workers {
	struct loop *loop;
	char name[16];
	unsigned n, n_threads;
	struct thread threads[WORKERS_MAX];
	int done_fd;
	struct source *done_source;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t work, idle;
	struct list queued, done;
	unsigned running;
	bool stop;
};

static void ring(struct workers *workers)
{
	uint64_t one = 1;

	/* Cannot fail but at 2^64 - 1 unread rings, which ring as well. */
	if (write(workers->done_fd, &one, sizeof(one)) < 0)
		return;
}

/* Under the lock. */
static void finish_job(struct workers *workers, struct job *job)
{
	list_append(&workers->done, &job->link);
	if (workers->done.next == &job->link)
		ring(workers);
	pthread_cond_broadcast(&workers->idle);
}

static void *worker(void *data)
{
	struct workers *workers = data;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct job *job;

		while (list_empty(&workers->queued) && !workers->stop)
			pthread_cond_wait(&workers->work, &workers->lock);
		if (workers->stop)
			break;
		job = list_entry(workers->queued.next, struct job, link);
		list_remove(&job->link);
		workers->running++;
		pthread_mutex_unlock(&workers->lock);
		job->run(job);
		pthread_mutex_lock(&workers->lock);
		workers->running--;
		finish_job(workers, job);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

void workers_submit(struct workers *workers, struct job *job)
{
	pthread_mutex_lock(&workers->lock);
	list_append(&workers->queued, &job->link);
	pthread_cond_signal(&workers->work);
	pthread_mutex_unlock(&workers->lock);
}

static struct job *take_done(struct workers *workers)
{
	struct job *job = NULL;

	pthread_mutex_lock(&workers->lock);
	if (!list_empty(&workers->done)) {
		job = list_entry(workers->done.next, struct job, link);
		list_remove(&job->link);
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void deliver(struct workers *workers, unsigned max)
{
	struct job *job;

	while (max-- && (job = take_done(workers)))
		job->done(job);
}

static void on_done(struct source *source, uint32_t events, void *data)
{
	struct workers *workers = data;

	deliver(workers, DONE_PER_TURN);
	pthread_mutex_lock(&workers->lock);
	if (!list_empty(&workers->done))
		ring(workers);
	pthread_mutex_unlock(&workers->lock);
}

void workers_drain(struct workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	while (!list_empty(&workers->queued) || workers->running)
		pthread_cond_wait(&workers->idle, &workers->lock);
	pthread_mutex_unlock(&workers->lock);
	deliver(workers, UINT_MAX);
}

static void finish(struct workers *workers)
{
	source_remove(workers->done_source);
	close_fd(&workers->done_fd);
	pthread_cond_destroy(&workers->idle);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

int workers_create(struct loop *loop, const char *name, unsigned n, struct workers **ret)
{
	struct workers *workers = calloc(1, sizeof(*workers));
	int r;

	if (!workers)
		return -ENOMEM;
	workers->loop = loop;
	workers->n = n < WORKERS_MAX ? n : WORKERS_MAX;
	snprintf(workers->name, sizeof(workers->name), "%s", name);
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	pthread_cond_init(&workers->idle, NULL);
	list_init(&workers->queued);
	list_init(&workers->done);
	workers->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = workers->done_fd < 0 ? -errno : 0;
	/* EPOLLET: each ring is one event, and nobody needs to read the counter down. */
	if (!r)
		r = loop_add_io(loop, workers->done_fd, EPOLLIN | EPOLLET, on_done, workers,
				&workers->done_source);
	if (r < 0) {
		finish(workers);
		return r;
	}
	*ret = workers;
	return 0;
}

int workers_start(struct workers *workers)
{
	int r = 0;

	while (r == 0 && workers->n_threads < workers->n) {
		r = thread_start(&workers->threads[workers->n_threads], workers->name,
				 SECCOMP_WORKER, worker, workers);
		workers->n_threads += r == 0;
	}
	return r;
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stop = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned i = 0; i < workers->n_threads; i++)
		pthread_join(workers->threads[i].id, NULL);
	finish(workers);
}
