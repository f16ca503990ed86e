/* SPDX-License-Identifier: Apache-2.0 */
/* Clock: the guest's time of day, and what is wrong with it (shim/guest_clock.c). */
#include <errno.h>
#include <sys/timex.h>
#include <time.h>

#include "agent.pb-c.h"
#include "agent/service.h"
#include "common/err.h"
#include "common/rpc.h"

#define SECOND_NS 1000000000ll
/* What is less is made up for at 500 ppm, a quarter of an hour for this: time never goes back. */
#define STEP_NS (SECOND_NS / 2)

static int step(int64_t now_ns, int64_t adjust_ns)
{
	struct timespec ts;
	int64_t then;

	if (__builtin_add_overflow(now_ns, adjust_ns, &then) || then < 0)
		return -EINVAL;
	ts.tv_sec = (time_t)(then / SECOND_NS);
	ts.tv_nsec = (long)(then % SECOND_NS);
	return clock_settime(CLOCK_REALTIME, &ts) < 0 ? -errno : 0;
}

static int slew(int64_t adjust_ns)
{
	struct timex timex = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = (long)(adjust_ns / 1000)};

	return adjtimex(&timex) < 0 ? -errno : 0;
}

void handle_clock(struct rpc_call *call, const ProtobufCMessage *msg, void *data)
{
	const Agent__ClockRequest *request = (const Agent__ClockRequest *)msg;
	Agent__ClockResponse reply = AGENT__CLOCK_RESPONSE__INIT;
	struct err err = ERR_INIT;
	struct timespec now;
	int64_t now_ns;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = now.tv_sec * SECOND_NS + now.tv_nsec;
	reply.realtime_ns = (uint64_t)now_ns;
	if (request->adjust_ns <= -STEP_NS || request->adjust_ns >= STEP_NS)
		r = step(now_ns, request->adjust_ns);
	else if (request->adjust_ns)
		r = slew(request->adjust_ns);
	if (r < 0) {
		err_set_errno(&err, -r, "setting the clock");
		rpc_fail(call, &err);
		return;
	}
	rpc_reply(call, &reply.base);
}
