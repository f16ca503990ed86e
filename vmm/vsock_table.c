/* SPDX-License-Identifier: Apache-2.0 */
/* Which connections there are: their names, their timers, their ends. See vsock_mux.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/loop.h"
#include "vmm/vsock_mux_internal.h"

#define DEAF_NS 100000000ull

/* --- the table ----------------------------------------------------------------------------- */

/* Multiply-shift with a secret odd factor: no two ports collide for a guest that cannot see it. */
static struct vsock_conn **bucket(struct vsock_mux *mux, uint32_t host_port, uint32_t guest_port)
{
	uint64_t key = (uint64_t)host_port << 32 | guest_port;

	return &mux->table[(key * mux->seed) >> 54];
}

static_assert(VSOCK_BUCKETS == 1u << (64 - 54), "the shift above");

struct vsock_conn *vsock_mux_find(struct vsock_mux *mux, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_conn *conn = *bucket(mux, host_port, guest_port);

	while (conn && (conn->host_port != host_port || conn->guest_port != guest_port))
		conn = conn->hash_next;
	return conn;
}

int vsock_mux_name(struct vsock_conn *conn, uint32_t host_port, uint32_t guest_port)
{
	struct vsock_mux *mux = conn->mux;
	struct vsock_conn **head = bucket(mux, host_port, guest_port);

	if (vsock_mux_find(mux, host_port, guest_port))
		return -EEXIST;
	conn->host_port = host_port;
	conn->guest_port = guest_port;
	conn->hash_next = *head;
	*head = conn;
	return 0;
}

static void forget_name(struct vsock_conn *conn)
{
	struct vsock_conn **p = bucket(conn->mux, conn->host_port, conn->guest_port);

	while (*p && *p != conn)
		p = &(*p)->hash_next;
	if (*p)
		*p = conn->hash_next;
}

/* --- the life of a connection -------------------------------------------------------------- */

static void on_conn(struct source *source, uint32_t events, void *data);

int vsock_mux_add(struct vsock_mux *mux, int fd, enum vsock_state state, struct vsock_conn **ret)
{
	_cleanup_close_ int owned = fd;
	struct vsock_conn *conn;
	int r;

	if (mux->n_conns == VSOCK_MAX_CONNS)
		return -EMFILE;
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return -ENOMEM;
	r = loop_add_io(mux->loop, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, on_conn, conn,
			&conn->source);
	if (r < 0) {
		free(conn);
		return r;
	}
	conn->fd = TAKE_FD(owned);
	conn->mux = mux;
	conn->state = state;
	list_init(&conn->ready_link);
	list_init(&conn->timed_link);
	list_append(&mux->all, &conn->all_link);
	mux->n_conns++;
	*ret = conn;
	return 0;
}

void vsock_mux_remove(struct vsock_conn *conn)
{
	forget_name(conn);
	list_remove(&conn->ready_link);
	list_remove(&conn->timed_link);
	list_remove(&conn->all_link);
	conn->mux->n_conns--;
	vsock_conn_finish(conn);
	free(conn);
}

void vsock_mux_arm(struct vsock_mux *mux)
{
	uint64_t now = now_ns(), delay = mux->deaf ? DEAF_NS : 0;

	if (!list_empty(&mux->timed)) {
		const struct vsock_conn *next =
			list_entry(mux->timed.next, struct vsock_conn, timed_link);
		uint64_t left = next->deadline > now ? next->deadline - now : 1;

		if (!delay || left < delay)
			delay = left;
	}
	source_arm(mux->timer, delay);
}

void vsock_mux_start_timer(struct vsock_conn *conn)
{
	struct vsock_mux *mux = conn->mux;
	bool first;

	list_remove(&conn->timed_link);
	first = list_empty(&mux->timed);
	conn->deadline = now_ns() + mux->config.timeout_ns;
	list_append(&mux->timed, &conn->timed_link);
	/* Otherwise the timer is armed for an earlier one, and then looks again. */
	if (first)
		vsock_mux_arm(mux);
}

void vsock_mux_stop_timer(struct vsock_conn *conn)
{
	list_remove(&conn->timed_link);
}

void vsock_mux_leave_guest(struct vsock_conn *conn)
{
	if (!conn->ring_len) {
		vsock_mux_remove(conn);
		return;
	}
	forget_name(conn);
	list_remove(&conn->ready_link);
	list_remove(&conn->timed_link);
	conn->state = VSOCK_LINGER;
}

void vsock_mux_die(struct vsock_conn *conn)
{
	conn->state = VSOCK_DEAD;
	conn->pending = VSOCK_SEND_RST;
	list_remove(&conn->timed_link);
	if (!conn->ring_len)
		vsock_conn_finish(conn);
	vsock_mux_settle(conn);
}

void vsock_mux_settle(struct vsock_conn *conn)
{
	struct vsock_mux *mux = conn->mux;

	switch (conn->state) {
	case VSOCK_GREETING:
		return;
	case VSOCK_LINGER:
		if (!conn->ring_len)
			vsock_mux_remove(conn);
		return;
	case VSOCK_OPEN:
		if (conn->shut_sent == VSOCK_SHUT_BOTH && list_empty(&conn->timed_link))
			vsock_mux_start_timer(conn);
		break;
	case VSOCK_CONNECTING:
	case VSOCK_DEAD:
		break;
	}
	if (!vsock_conn_wants(conn))
		return;
	if (list_empty(&conn->ready_link))
		list_append(&mux->ready, &conn->ready_link);
	mux->config.wake(mux->config.data);
}

static void on_conn(struct source *source, uint32_t events, void *data)
{
	struct vsock_conn *conn = data;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->readable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		conn->hangup = true;
	if (conn->state == VSOCK_GREETING) {
		vsock_host_greet(conn);
		return;
	}
	if (events & EPOLLOUT)
		vsock_conn_flush(conn);
	if (events & (EPOLLHUP | EPOLLERR)) {
		if (conn->state == VSOCK_CONNECTING) {
			vsock_mux_die(conn);
			return;
		}
		vsock_conn_hangup(conn);
	}
	vsock_mux_settle(conn);
}

static void expire(struct vsock_conn *conn)
{
	if (conn->state == VSOCK_GREETING)
		vsock_mux_remove(conn);
	else
		vsock_mux_die(conn);
}

void vsock_mux_on_timer(struct source *source, uint32_t events, void *data)
{
	struct vsock_mux *mux = data;
	uint64_t now = now_ns();

	if (mux->deaf)
		vsock_host_hear_again(mux);
	while (!list_empty(&mux->timed)) {
		struct vsock_conn *conn =
			list_entry(mux->timed.next, struct vsock_conn, timed_link);

		if (conn->deadline > now)
			break;
		list_remove(&conn->timed_link);
		expire(conn);
	}
	vsock_mux_arm(mux);
}

void vsock_mux_remove_all(struct vsock_mux *mux)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &mux->all)
		vsock_mux_remove(list_entry(it, struct vsock_conn, all_link));
}
