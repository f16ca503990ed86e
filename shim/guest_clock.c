/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: Setup gives the guest the host's time of day, and from there on its clock runs by the
 * processor's own counter: the seconds that NTP takes or gives on the host, a second or two a day, are
 * not seen in it, nor what a step of the host's clock or a resume from sleep changes. So the guest is asked
 * for its time, half of the way is taken off, and what is wrong is put right by the agent: little
 * by the pace of its clock, much at once.
 *
 * When: where the host's clock was set (the kernel cancels a timer of CLOCK_REALTIME then), and each
 * INTERVAL_NS, in which a bad crystal loses 60 ms.
 */
#include "shim/guest_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "shim/agent_client.h"
#include "shim/sandbox.h"

#define SECOND_NS  1000000000ull
#define INTERVAL_S 600
#define LEAST_NS   1000000     /* less is not worth a call */
#define SLOW_NS    20000000ull /* an answer that took so long is worth another one */
#define SLOW_MOST  5
#define AGAIN_S    5
#define TIMEOUT_MS 30000

struct guest_clock {
	struct sandbox *sandbox;
	int fd;
	struct source *source;
	bool asking, again; /* the clock was set meanwhile, or the answer was slow */
	unsigned slow;      /* in a row */
	uint64_t asked_ns;
};

static uint64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

int64_t guest_clock_correction(uint64_t asked_ns, uint64_t answered_ns, uint64_t guest_ns)
{
	uint64_t way, middle, off;

	if (answered_ns < asked_ns || answered_ns > INT64_MAX || guest_ns > INT64_MAX)
		return 0;
	way = answered_ns - asked_ns;
	middle = asked_ns + way / 2;
	off = middle > guest_ns ? middle - guest_ns : guest_ns - middle;
	if (off < LEAST_NS || off <= way / 2)
		return 0;
	/* Where on the way the guest looked nobody knows: no further than is certain. */
	off -= way > SLOW_NS ? way / 2 : 0;
	return middle > guest_ns ? (int64_t)off : -(int64_t)off;
}

static int arm(const struct guest_clock *clock, time_t seconds)
{
	struct itimerspec its = {0};

	clock_gettime(CLOCK_REALTIME, &its.it_value);
	its.it_value.tv_sec += seconds;
	return timerfd_settime(clock->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL) <
			       0
		       ? -errno
		       : 0;
}

static void call(struct guest_clock *clock, int64_t adjust_ns, rpc_done done)
{
	Agent__ClockRequest request = AGENT__CLOCK_REQUEST__INIT;

	request.adjust_ns = adjust_ns;
	clock->asked_ns = realtime_ns();
	clock->asking = agent_client_call(clock->sandbox->agent, "Clock", &request.base, TIMEOUT_MS,
					  done, clock) == 0;
}

/* Nothing is open any more. */
static void finish(struct guest_clock *clock, const struct err *err)
{
	clock->asking = false;
	if (err && err->code != ECANCELED)
		log_warn("the guest's clock: %s", err->msg);
	if (clock->again && !err)
		arm(clock, AGAIN_S);
	clock->again = false;
}

static void on_moved(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	finish(data, err);
}

static void on_time(const ProtobufCMessage *reply, const struct err *err, void *data)
{
	const Agent__ClockResponse *time = (const Agent__ClockResponse *)reply;
	struct guest_clock *clock = data;
	uint64_t now = realtime_ns();
	int64_t adjust_ns = 0;

	if (!err) {
		clock->slow = now - clock->asked_ns > SLOW_NS ? clock->slow + 1 : 0;
		if (clock->slow && clock->slow < SLOW_MOST)
			clock->again = true;
		adjust_ns = guest_clock_correction(clock->asked_ns, now, time->realtime_ns);
	}
	clock->asking = false;
	if (adjust_ns)
		call(clock, adjust_ns, on_moved);
	if (!clock->asking)
		finish(clock, err);
}

static void on_due(struct source *source, uint32_t events, void *data)
{
	struct guest_clock *clock = data;
	uint64_t times;

	/* ECANCELED: the clock was set. */
	if (read(clock->fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
		return;
	arm(clock, INTERVAL_S);
	if (clock->asking)
		clock->again = true;
	else if (clock->sandbox->state == SANDBOX_READY)
		call(clock, 0, on_time);
}

int guest_clock_create(struct loop *loop, struct sandbox *sandbox, struct guest_clock **ret)
{
	struct guest_clock *clock = calloc(1, sizeof(*clock));
	int r;

	if (!clock)
		return -ENOMEM;
	clock->sandbox = sandbox;
	clock->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	r = clock->fd < 0 ? -errno : arm(clock, INTERVAL_S);
	if (r == 0)
		r = loop_add_io(loop, clock->fd, EPOLLIN, on_due, clock, &clock->source);
	if (r < 0) {
		guest_clock_destroy(clock);
		return r;
	}
	*ret = clock;
	return 0;
}

void guest_clock_destroy(struct guest_clock *clock)
{
	if (!clock)
		return;
	agent_client_forget(clock->sandbox->agent, clock);
	source_remove(clock->source);
	close_fd(&clock->fd);
	free(clock);
}
