/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a thread for the streams of each process.
 *
 * The kernel takes a pipe's lock for every splice, FIONREAD and last close, and a process of the
 * container that writes to the pipe, or reads from it, holds that lock while its memory is fetched. A
 * container can have that last as long as it likes (userfaultfd, a file of a FUSE server of its own,
 * memory.high). A terminal's locks are no better. So no call on a container's pipe or terminal is made on
 * the agent's loop: each process has a thread for them, and who holds its locks holds up that thread.
 * Killing the container frees it, for a fatal signal ends the wait of whoever holds the lock.
 *
 *	loop --asks, wake_fd--> thread --ended_fd--> loop: joins it, tells the owner
 *
 * The lanes belong to the thread while it runs. It watches their descriptors edge-triggered; an event
 * has its lane pumped until one side has no more, so a level that lasts (a hang-up, a writable socket)
 * never spins. A lane takes at most its share of a turn before the other lanes and what is asked.
 *
 * A dead process's input is closed after its output has been passed on: another process of its container
 * may hold the input's lock, and the output is worth more. Where one holds the output's, the end is told
 * when that one ends, at the latest with its container.
 *
 * The agent clones processes that go on without exec, and with its memory: so a relay's thread uses no
 * heap and takes no lock of the C library, which would stay locked in the clone for ever (user.h has the
 * other half of this). relay_close() leaves a thread that is held up behind, and its memory goes as it
 * ends.
 */
#include "agent/relay.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/pump.h"
#include "common/cleanup.h"
#include "common/loop.h"
#include "common/thread.h"

#define WAKE RELAY_MAX_LANES /* what epoll says of wake_fd; else a lane's index */

/* More than a terminal holds: 64 KiB on the way to the master and a buffer of 4 KiB. */
#define TERMINAL_HOLDS (128u << 10)

#define MIN_THREADS 16u

enum { ASK_END_INPUT = 1, ASK_DRAIN = 2, ASK_RESIZE = 4, ASK_QUIT = 8 };

struct lane {
	struct relay_lane is;                     /* closed: both -1 */
	bool ready;                               /* there may be something to move */
	bool finish;                              /* ends once there is nothing to move */
	bool input_ended;                         /* of a terminal */
	size_t left;                              /* how many bytes its output may have still */
	struct pump_buffer *to_host, *to_process; /* of a terminal */
};

struct relay {
	/* The thread's. */
	struct lane lanes[RELAY_MAX_LANES];
	size_t n_lanes;
	int epoll_fd;
	bool draining; /* the process is dead */
	/* Both sides'. */
	int wake_fd, ended_fd;
	atomic_uint asks;
	_Atomic uint32_t size; /* rows << 16 | columns */
	/* The loop's. */
	pthread_t thread;
	bool joined;
	struct source *ended_source;
	relay_ended_fn ended; /* NULL: nobody wants to know any more */
	void *data;
};

/* --- the thread ------------------------------------------------------------------------------ */

/* Shut down, too: an exec's helper that a container has frozen as it came into its cgroup still has a copy. */
static void close_lane(struct lane *lane)
{
	if (lane->is.sock >= 0)
		shutdown(lane->is.sock, SHUT_RDWR);
	close_fd(&lane->is.sock);
	close_fd(&lane->is.fd);
}

static bool ended(enum pump_state state)
{
	return state == PUMP_EOF || state == PUMP_BROKEN;
}

/* One turn's share of a terminal, both ways. The host's end of input leaves it alone. */
static enum pump_state move_terminal(struct lane *lane)
{
	enum pump_state out, in = PUMP_STARVED;

	out = pump_copy(lane->is.fd, lane->is.sock, lane->to_host, &lane->left);
	if (!lane->input_ended && !lane->finish) {
		in = pump_copy(lane->is.sock, lane->is.fd, lane->to_process, NULL);
		lane->input_ended = ended(in);
	}
	return !ended(out) && in == PUMP_MORE ? PUMP_MORE : out;
}

static void move(struct lane *lane)
{
	enum pump_state state;

	if (lane->is.kind == RELAY_TERMINAL)
		state = move_terminal(lane);
	else if (lane->is.kind == RELAY_INPUT)
		state = pump_splice(lane->is.sock, lane->is.fd, false, &lane->left);
	else
		state = pump_splice(lane->is.fd, lane->is.sock, true, &lane->left);
	lane->ready = state == PUMP_MORE;
	if (ended(state) || (lane->finish && state == PUMP_STARVED))
		close_lane(lane);
}

/*
 * How much of a dead process's output there can be. Its children may live and hold the pipe, and what
 * they write from now on goes nowhere: they do not keep its end from being told.
 */
static size_t written(const struct lane *lane)
{
	int bytes = 0;

	if (lane->is.kind == RELAY_TERMINAL)
		return TERMINAL_HOLDS;
	return ioctl(lane->is.fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

static void heed(struct lane *lane, unsigned asks, uint32_t size)
{
	struct winsize winsize = {.ws_row = (uint16_t)(size >> 16), .ws_col = (uint16_t)size};

	lane->ready = true;
	if (lane->is.kind == RELAY_INPUT) {
		/* What the host has sent before it asked may still lie in the connection. */
		lane->finish |= asks & ASK_END_INPUT;
		return;
	}
	if (lane->is.kind == RELAY_TERMINAL && (asks & ASK_RESIZE))
		ioctl(lane->is.fd, TIOCSWINSZ, &winsize);
	if (asks & ASK_DRAIN) {
		lane->finish = true;
		lane->left = written(lane);
	}
}

/* Moves what a lane can move. Returns whether it is open still. */
static bool serve_lane(struct relay *relay, struct lane *lane, unsigned asks, bool *more)
{
	if (asks & ASK_QUIT)
		close_lane(lane);
	if (asks && lane->is.fd >= 0)
		heed(lane, asks, atomic_load(&relay->size));
	if (lane->ready && lane->is.fd >= 0)
		move(lane);
	*more |= lane->is.fd >= 0 && lane->ready;
	return lane->is.fd >= 0;
}

/* Does what was asked, and moves what can be moved. false: every lane is closed. */
static bool turn(struct relay *relay, unsigned asks, bool *ret_more)
{
	bool open = false;

	*ret_more = false;
	if (asks & ASK_DRAIN)
		relay->draining = true;
	for (size_t i = 0; i < relay->n_lanes; i++)
		if (relay->lanes[i].is.kind != RELAY_INPUT)
			open |= serve_lane(relay, &relay->lanes[i], asks, ret_more);
	for (size_t i = 0; i < relay->n_lanes; i++) {
		struct lane *lane = &relay->lanes[i];

		if (lane->is.kind != RELAY_INPUT)
			continue;
		if (!relay->draining)
			open |= serve_lane(relay, lane, asks, ret_more);
		else if (!open)
			close_lane(lane);
	}
	return open;
}

static unsigned wait_for_events(struct relay *relay, bool more)
{
	struct epoll_event events[2 * RELAY_MAX_LANES + 1];
	unsigned asks = 0;
	eventfd_t count;
	int n;

	n = epoll_wait(relay->epoll_fd, events, sizeof(events) / sizeof(events[0]), more ? 0 : -1);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 != WAKE) {
			relay->lanes[events[i].data.u32].ready = true;
			continue;
		}
		eventfd_read(relay->wake_fd, &count);
		asks = atomic_exchange(&relay->asks, 0);
	}
	return asks;
}

/* /dev/null cannot be watched, and need not be: it is never in anybody's way. */
static int watch(int epoll_fd, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 && errno != EPERM ? -errno : 0;
}

/* Here, since a terminal may wait for what is on its way to it before it says what it has. */
static void watch_lanes(struct relay *relay)
{
	const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

	for (uint32_t i = 0; i < relay->n_lanes; i++) {
		struct lane *lane = &relay->lanes[i];

		if (lane->is.sock >= 0 && (watch(relay->epoll_fd, lane->is.sock, events, i) < 0 ||
					   watch(relay->epoll_fd, lane->is.fd, events, i) < 0))
			close_lane(lane);
	}
}

static void *run(void *data)
{
	struct relay *relay = data;
	unsigned asks = 0;
	bool more;

	watch_lanes(relay);
	while (turn(relay, asks, &more))
		asks = wait_for_events(relay, more);
	/* The last use of relay: the loop frees it. */
	eventfd_write(relay->ended_fd, 1);
	return NULL;
}

/* --- the loop -------------------------------------------------------------------------------- */

static size_t live; /* threads */

/* Half of what containers leave to the agent and the kernel. */
static size_t most(void)
{
	size_t half = (size_t)cgroup_pids_reserve() / 2;

	return half < MIN_THREADS ? MIN_THREADS : half;
}

/* Its lanes are closed, or somebody else's. */
static void relay_free(struct relay *relay)
{
	if (!relay)
		return;
	for (size_t i = 0; i < relay->n_lanes; i++) {
		free(relay->lanes[i].to_host);
		free(relay->lanes[i].to_process);
	}
	source_remove(relay->ended_source);
	close_fd(&relay->epoll_fd);
	close_fd(&relay->wake_fd);
	close_fd(&relay->ended_fd);
	free(relay);
}
DEFINE_CLEANUP(struct relay, relay_free)

static void on_ended(struct source *source, uint32_t events, void *data)
{
	struct relay *relay = data;

	/* It has nothing left to do but to end: no wait to speak of. */
	pthread_join(relay->thread, NULL);
	live--;
	relay->joined = true;
	source_remove(TAKE_PTR(relay->ended_source));
	/* Last: the owner may free us. */
	if (relay->ended)
		relay->ended(relay->data);
	else
		relay_free(relay);
}

static int set_up(struct relay *relay, struct loop *loop)
{
	int r;

	for (size_t i = 0; i < relay->n_lanes; i++) {
		struct lane *lane = &relay->lanes[i];

		if (lane->is.kind != RELAY_TERMINAL || lane->is.sock < 0)
			continue;
		lane->to_host = calloc(1, sizeof(*lane->to_host));
		lane->to_process = calloc(1, sizeof(*lane->to_process));
		if (!lane->to_host || !lane->to_process)
			return -ENOMEM;
	}
	relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	relay->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (relay->epoll_fd < 0 || relay->wake_fd < 0 || relay->ended_fd < 0)
		return -errno;
	r = watch(relay->epoll_fd, relay->wake_fd, EPOLLIN, WAKE);
	return r < 0 ? r
		     : loop_add_io(loop, relay->ended_fd, EPOLLIN, on_ended, relay,
				   &relay->ended_source);
}

int relay_start(struct loop *loop, const struct relay_lane *lanes, size_t n_lanes,
		relay_ended_fn on_all_ended, void *data, struct relay **ret)
{
	_cleanup_(relay_free_p) struct relay *relay = NULL;
	int r;

	if (live >= most())
		return -ENOBUFS;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return -ENOMEM;
	*relay = (struct relay){.n_lanes = n_lanes,
				.ended = on_all_ended,
				.data = data,
				.epoll_fd = -1,
				.wake_fd = -1,
				.ended_fd = -1};
	for (size_t i = 0; i < n_lanes; i++)
		relay->lanes[i] = (struct lane){.is = lanes[i], .left = SIZE_MAX};
	r = set_up(relay, loop);
	if (r >= 0)
		r = thread_run(run, relay, &relay->thread);
	if (r < 0)
		return r;
	live++;
	*ret = TAKE_PTR(relay);
	return 0;
}

void relay_close_master(struct loop *loop, int master)
{
	const struct relay_lane lane = {RELAY_TERMINAL, -1, master};
	struct relay *relay;

	if (relay_start(loop, &lane, 1, NULL, NULL, &relay) >= 0)
		relay_close(relay);
}

static void ask(struct relay *relay, unsigned what)
{
	if (relay->joined)
		return;
	atomic_fetch_or(&relay->asks, what);
	eventfd_write(relay->wake_fd, 1);
}

void relay_close(struct relay *relay)
{
	if (!relay)
		return;
	relay->ended = NULL;
	if (relay->joined)
		relay_free(relay);
	else
		ask(relay, ASK_QUIT);
}

void relay_end_input(struct relay *relay)
{
	ask(relay, ASK_END_INPUT);
}

void relay_drain(struct relay *relay)
{
	ask(relay, ASK_DRAIN);
}

void relay_resize(struct relay *relay, uint16_t rows, uint16_t columns)
{
	atomic_store(&relay->size, (uint32_t)rows << 16 | columns);
	ask(relay, ASK_RESIZE);
}
