/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: memory.events is polled as cgroup.events is (cgroup_watch.c): EPOLLPRI after
 * each change since the last read through the same descriptor. The first look is at the end of the
 * turn, so a kill between two calls of the host is told at once, and none is told twice.
 *
 * The kernel tells of a change of memory.events after 10 ms at times, and then the cgroup may be gone: so
 * whoever reports an exit, or ends the container, has a look first (oom_watch_look, oom_watch_cancel).
 */
#include "agent/oom.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent.pb-c.h"
#include "agent/cgroup.h"
#include "common/cleanup.h"
#include "common/loop.h"
#include "common/rpc.h"

struct oom_watch {
	int cgroup_fd, events_fd;
	uint64_t seen;
	struct rpc_call *call;
	struct source *io, *first;
	struct oom_watch **owner;
};

static void oom_watch_free(struct oom_watch *watch)
{
	*watch->owner = NULL;
	source_remove(watch->io);
	source_remove(watch->first);
	close_fd(&watch->events_fd);
	free(watch);
}

/* Whether there was something to tell; then the watch is gone. */
static bool tell(struct oom_watch *watch)
{
	Agent__OomResponse response = AGENT__OOM_RESPONSE__INIT;
	struct rpc_call *call = watch->call;

	response.oom_kill = cgroup_value(watch->cgroup_fd, "memory.events", "oom_kill");
	if (response.oom_kill <= watch->seen)
		return false;
	oom_watch_free(watch);
	rpc_reply(call, &response.base);
	return true;
}

static void on_events(struct source *source, uint32_t events, void *data)
{
	struct oom_watch *watch = data;
	char buf[512];

	if (pread(watch->events_fd, buf, sizeof(buf), 0) < 0)
		oom_watch_cancel(watch);
	else
		tell(watch);
}

void oom_watch_look(struct oom_watch *watch)
{
	if (watch)
		tell(watch);
}

int oom_watch_begin(struct loop *loop, int cgroup_fd, uint64_t seen, struct rpc_call *call,
		    struct oom_watch **ret, struct err *err)
{
	struct oom_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return err_set(err, ENOMEM, "out of memory");
	*watch = (struct oom_watch){
		.cgroup_fd = cgroup_fd, .seen = seen, .call = call, .owner = ret};
	watch->events_fd = openat(cgroup_fd, "memory.events", O_RDONLY | O_CLOEXEC);
	r = watch->events_fd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add_io(loop, watch->events_fd, EPOLLPRI, on_events, watch, &watch->io);
	if (r == 0)
		r = loop_add_defer(loop, on_events, watch, &watch->first);
	if (r < 0) {
		oom_watch_free(watch);
		return err_set_errno(err, -r, "memory.events");
	}
	*ret = watch;
	source_defer(watch->first);
	return 0;
}

void oom_watch_cancel(struct oom_watch *watch)
{
	struct err err = ERR_INIT;
	struct rpc_call *call;

	if (!watch || tell(watch))
		return;
	call = watch->call;
	oom_watch_free(watch);
	err_set(&err, ECANCELED, "the container is gone");
	rpc_fail(call, &err);
}
