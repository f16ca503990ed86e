/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: memory.events is polled as cgroup.events is (cgroup_watch.c): EPOLLPRI after
 * each change since the last read through the same descriptor. The first look is at the end of the
 * turn, so a kill between two calls of the host is told at once, and none is told twice.
 */
#include "agent/oom.h"

#include <fcntl.h>
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

static void on_events(struct source *source, uint32_t events, void *data)
{
	Agent__OomResponse response = AGENT__OOM_RESPONSE__INIT;
	struct oom_watch *watch = data;
	struct rpc_call *call = watch->call;
	char buf[512];

	if (pread(watch->events_fd, buf, sizeof(buf), 0) < 0) {
		oom_watch_cancel(watch);
		return;
	}
	response.oom_kill = cgroup_value(watch->cgroup_fd, "memory.events", "oom_kill");
	if (response.oom_kill <= watch->seen)
		return;
	oom_watch_free(watch);
	rpc_reply(call, &response.base);
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

	if (!watch)
		return;
	call = watch->call;
	oom_watch_free(watch);
	err_set(&err, ECANCELED, "the container is gone");
	rpc_fail(call, &err);
}
