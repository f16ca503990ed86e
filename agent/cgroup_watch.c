/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: cgroup.events is polled in the kernel's sense: EPOLLPRI each time it changes
 * after it was read. The first look happens at the end of the turn, when the source is armed, so
 * no change is missed and the callback never runs inside cgroup_watch_add().
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/loop.h"

struct cgroup_watch {
	int fd, events_fd;
	const char *key;
	uint64_t want;
	cgroup_watch_fn fn;
	void *data;
	struct source *io, *timer, *first;
};

void cgroup_watch_remove(struct cgroup_watch *watch)
{
	if (!watch)
		return;
	source_remove(watch->io);
	source_remove(watch->timer);
	source_remove(watch->first);
	close_fd(&watch->events_fd);
	close_fd(&watch->fd);
	free(watch);
}

static void finish(struct cgroup_watch *watch, int result)
{
	cgroup_watch_fn fn = watch->fn;
	void *data = watch->data;

	cgroup_watch_remove(watch);
	fn(result, data);
}

static void on_events(struct source *source, uint32_t events, void *data)
{
	struct cgroup_watch *watch = data;
	char buf[256];

	/* Reading through the polled descriptor is what arms the next notification. */
	if (pread(watch->events_fd, buf, sizeof(buf), 0) < 0) {
		finish(watch, -errno);
		return;
	}
	if (cgroup_value(watch->fd, "cgroup.events", watch->key) == watch->want)
		finish(watch, 0);
}

static void on_timeout(struct source *source, uint32_t events, void *data)
{
	finish(data, -ETIMEDOUT);
}

int cgroup_watch_add(struct loop *loop, int fd, const char *key, uint64_t want, uint64_t timeout_ns,
		     cgroup_watch_fn fn, void *data, struct cgroup_watch **ret)
{
	struct cgroup_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct cgroup_watch){.key = key, .want = want, .fn = fn, .data = data};
	watch->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	watch->events_fd = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	r = watch->fd < 0 || watch->events_fd < 0 ? -errno : 0;
	if (r >= 0)
		r = loop_add_io(loop, watch->events_fd, EPOLLPRI, on_events, watch, &watch->io);
	if (r >= 0)
		r = loop_add_timer(loop, on_timeout, watch, &watch->timer);
	if (r >= 0)
		r = loop_add_defer(loop, on_events, watch, &watch->first);
	if (r < 0) {
		cgroup_watch_remove(watch);
		return r;
	}
	source_arm(watch->timer, timeout_ns);
	source_defer(watch->first);
	*ret = watch;
	return 0;
}
