/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a connection is a caller until its eight bytes are complete. The guest decides
 * how many callers there are and how slowly they talk, so their number and their time are bounded: the
 * oldest makes room, as the agent says its id at once, whatever a container does that may dial, too;
 * an id that nobody waits for closes the connection. An id is good once: a container that guessed
 * another's would have to guess 64 random bits before the agent dials.
 */
#include "shim/stream_hub.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/bytes.h"
#include "common/io.h"
#include "common/list.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/ports.h"

#define MAX_CALLERS    64
#define CALLER_TIME_NS (60 * 1000000000ull)
#define ACCEPTS        16 /* a turn */

struct stream_hub {
	struct loop *loop;
	int listen_fd;
	struct source *listener;
	struct list waits, callers;
	unsigned n_callers;
	struct log_limit limit;
};

struct stream_wait {
	struct list link;
	uint64_t id;
	stream_fn fn;
	void *data;
};

struct caller {
	struct list link;
	struct stream_hub *hub;
	int fd;
	struct source *io, *deadline;
	uint8_t id[8];
	size_t got;
};

static void caller_free(struct caller *caller)
{
	source_remove(caller->io);
	source_remove(caller->deadline);
	list_remove(&caller->link);
	caller->hub->n_callers--;
	close_fd(&caller->fd);
	free(caller);
}

static void on_deadline(struct source *source, uint32_t events, void *data)
{
	struct caller *caller = data;

	log_limited(&caller->hub->limit, LOG_WARN, "a stream connection did not say its id");
	caller_free(caller);
}

static void match(struct caller *caller)
{
	struct bytes bytes = bytes_of(caller->id, sizeof(caller->id));
	uint64_t id = bytes_le64(&bytes);
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &caller->hub->waits) {
		struct stream_wait *wait = list_entry(it, struct stream_wait, link);
		stream_fn fn = wait->fn;
		void *data = wait->data;
		int fd;

		if (wait->id != id)
			continue;
		stream_wait_cancel(wait);
		source_remove(caller->io);
		caller->io = NULL;
		fd = TAKE_FD(caller->fd);
		caller_free(caller);
		fn(fd, data);
		return;
	}
	log_limited(&caller->hub->limit, LOG_WARN, "a stream connection with an unknown id");
	caller_free(caller);
}

static void on_caller(struct source *source, uint32_t events, void *data)
{
	struct caller *caller = data;
	ssize_t n = recv(caller->fd, caller->id + caller->got, sizeof(caller->id) - caller->got,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		caller_free(caller);
		return;
	}
	caller->got += (size_t)n;
	if (caller->got == sizeof(caller->id))
		match(caller);
}

static int caller_create(struct stream_hub *hub, int fd)
{
	struct caller *caller = calloc(1, sizeof(*caller));
	int r;

	if (!caller) {
		close(fd);
		return -ENOMEM;
	}
	caller->hub = hub;
	caller->fd = fd;
	list_append(&hub->callers, &caller->link);
	hub->n_callers++;
	r = loop_add_io(hub->loop, fd, EPOLLIN, on_caller, caller, &caller->io);
	if (r == 0)
		r = loop_add_timer(hub->loop, on_deadline, caller, &caller->deadline);
	if (r == 0)
		r = source_arm(caller->deadline, CALLER_TIME_NS);
	if (r < 0)
		caller_free(caller);
	return r;
}

static void on_listener(struct source *source, uint32_t events, void *data)
{
	struct stream_hub *hub = data;

	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(hub->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		if (hub->n_callers == MAX_CALLERS) {
			log_limited(&hub->limit, LOG_WARN,
				    "too many stream connections without an id");
			caller_free(list_entry(hub->callers.next, struct caller, link));
		}
		caller_create(hub, fd);
	}
}

int stream_hub_create(struct loop *loop, int vsock_dirfd, struct stream_hub **ret)
{
	_cleanup_(stream_hub_destroy_p) struct stream_hub *hub = calloc(1, sizeof(*hub));
	int r;

	if (!hub)
		return -ENOMEM;
	hub->loop = loop;
	hub->listen_fd = -1;
	list_init(&hub->waits);
	list_init(&hub->callers);
	r = sock_listen_at(vsock_dirfd, PORT_SOCKET(PORT_STREAM), 64, &hub->listen_fd);
	if (r == 0)
		r = loop_add_io(loop, hub->listen_fd, EPOLLIN, on_listener, hub, &hub->listener);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(hub);
	return 0;
}

void stream_hub_destroy(struct stream_hub *hub)
{
	struct list *it, *tmp;

	if (!hub)
		return;
	list_for_each_safe (it, tmp, &hub->callers)
		caller_free(list_entry(it, struct caller, link));
	list_for_each_safe (it, tmp, &hub->waits)
		stream_wait_cancel(list_entry(it, struct stream_wait, link));
	source_remove(hub->listener);
	close_fd(&hub->listen_fd);
	free(hub);
}

int stream_hub_expect(struct stream_hub *hub, stream_fn fn, void *data, uint64_t *ret_id,
		      struct stream_wait **ret)
{
	struct stream_wait *wait = calloc(1, sizeof(*wait));

	if (!wait)
		return -ENOMEM;
	/* 0 means "no stream". Before the host's pool is ready a shim cannot do anything safely. */
	while (wait->id == 0)
		if (getrandom(&wait->id, sizeof(wait->id), 0) != sizeof(wait->id)) {
			free(wait);
			return -EIO;
		}
	wait->fn = fn;
	wait->data = data;
	list_append(&hub->waits, &wait->link);
	*ret_id = wait->id;
	*ret = wait;
	return 0;
}

void stream_wait_cancel(struct stream_wait *wait)
{
	if (!wait)
		return;
	list_remove(&wait->link);
	free(wait);
}
