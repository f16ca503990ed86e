/* SPDX-License-Identifier: Apache-2.0 */
#include "common/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/list.h"

enum kind { KIND_IO, KIND_TIMER, KIND_SIGNAL, KIND_DEFER };

struct source {
	struct loop *loop;
	struct list link; /* in loop->sources, or loop->dead once removed */
	struct list defer_link;
	enum kind kind;
	int fd; /* KIND_DEFER: -1 */
	bool owns_fd, dead;
	loop_fn fn;
	void *data;
};

struct loop {
	int epfd;
	bool running;
	int code;
	struct list sources, dead, deferred;
};

#define EVENTS_PER_TURN 64

int loop_create(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0) {
		r = -errno;
		free(loop);
		return r;
	}
	list_init(&loop->sources);
	list_init(&loop->dead);
	list_init(&loop->deferred);
	*ret = loop;
	return 0;
}

static void free_all(struct list *head)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, head) {
		list_remove(it);
		free(list_entry(it, struct source, link));
	}
}

void loop_destroy(struct loop *loop)
{
	struct list *it, *tmp;

	if (!loop)
		return;
	list_for_each_safe (it, tmp, &loop->sources)
		source_remove(list_entry(it, struct source, link));
	free_all(&loop->dead);
	close(loop->epfd);
	free(loop);
}

/* Takes fd over where owns_fd, also on failure. */
static int add(struct loop *loop, enum kind kind, int fd, bool owns_fd, uint32_t events, loop_fn fn,
	       void *data, struct source **ret)
{
	struct source *s = calloc(1, sizeof(*s));
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (!s || (fd >= 0 && epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)) {
		int r = s ? -errno : -ENOMEM;

		if (owns_fd)
			close(fd);
		free(s);
		return r;
	}
	*s = (struct source){
		.loop = loop,
		.kind = kind,
		.fd = fd,
		.owns_fd = owns_fd,
		.fn = fn,
		.data = data,
	};
	list_append(&loop->sources, &s->link);
	list_init(&s->defer_link);
	*ret = s;
	return 0;
}

int loop_add_io(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *data,
		struct source **ret)
{
	return add(loop, KIND_IO, fd, false, events, fn, data, ret);
}

int loop_add_timer(struct loop *loop, loop_fn fn, void *data, struct source **ret)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	return add(loop, KIND_TIMER, fd, true, EPOLLIN, fn, data, ret);
}

int loop_add_signal(struct loop *loop, int signo, loop_fn fn, void *data, struct source **ret)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, signo);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return add(loop, KIND_SIGNAL, fd, true, EPOLLIN, fn, data, ret);
}

int loop_add_defer(struct loop *loop, loop_fn fn, void *data, struct source **ret)
{
	return add(loop, KIND_DEFER, -1, false, 0, fn, data, ret);
}

int source_set_events(struct source *source, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = source};

	return epoll_ctl(source->loop->epfd, EPOLL_CTL_MOD, source->fd, &ev) < 0 ? -errno : 0;
}

int source_arm(struct source *source, uint64_t delay_ns)
{
	struct itimerspec its = {
		.it_value = {.tv_sec = (time_t)(delay_ns / 1000000000u),
			     .tv_nsec = (long)(delay_ns % 1000000000u)},
	};

	return timerfd_settime(source->fd, 0, &its, NULL) < 0 ? -errno : 0;
}

void source_defer(struct source *source)
{
	if (!source->dead && list_empty(&source->defer_link))
		list_append(&source->loop->deferred, &source->defer_link);
}

void source_remove(struct source *source)
{
	if (!source || source->dead)
		return;
	source->dead = true;
	if (source->fd >= 0) {
		epoll_ctl(source->loop->epfd, EPOLL_CTL_DEL, source->fd, NULL);
		if (source->owns_fd)
			close(source->fd);
	}
	list_remove(&source->defer_link);
	list_remove(&source->link);
	list_append(&source->loop->dead, &source->link);
}

/* False where a timer or signal has nothing to report after all (it was re-armed, say). */
static bool consume(struct source *s)
{
	union {
		uint64_t expirations;
		struct signalfd_siginfo info;
	} u;

	if (s->kind == KIND_TIMER)
		return read(s->fd, &u.expirations, sizeof(u.expirations)) > 0;
	if (s->kind == KIND_SIGNAL)
		return read(s->fd, &u.info, sizeof(u.info)) > 0;
	return true;
}

int loop_turn(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	struct list now, *it;
	int n;

	if (!list_empty(&loop->deferred))
		timeout_ms = 0;
	n = epoll_wait(loop->epfd, events, EVENTS_PER_TURN, timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n; i++) {
		struct source *s = events[i].data.ptr;

		if (!s->dead && consume(s))
			s->fn(s, events[i].events, s->data);
	}
	/* What is deferred from here on belongs to the next turn, so that none can starve I/O. */
	list_init(&now);
	while (!list_empty(&loop->deferred)) {
		it = loop->deferred.next;
		list_remove(it);
		list_append(&now, it);
	}
	while (!list_empty(&now)) {
		struct source *s = list_entry(now.next, struct source, defer_link);

		list_remove(&s->defer_link);
		s->fn(s, 0, s->data);
	}
	free_all(&loop->dead);
	return 0;
}

int loop_run(struct loop *loop)
{
	int r;

	loop->running = true;
	while (loop->running) {
		r = loop_turn(loop, -1);
		if (r < 0)
			return r;
	}
	return loop->code;
}

void loop_exit(struct loop *loop, int code)
{
	loop->running = false;
	loop->code = code;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
