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

/* In one call: the host may take the processor away between two. */
static int step(int64_t adjust_ns)
{
	struct timex timex = {.modes = ADJ_SETOFFSET | ADJ_NANO};

	timex.time.tv_sec = adjust_ns / SECOND_NS;
	timex.time.tv_usec = adjust_ns % SECOND_NS; /* nanoseconds, by ADJ_NANO; never negative */
	if (timex.time.tv_usec < 0) {
		timex.time.tv_sec--;
		timex.time.tv_usec += SECOND_NS;
	}
	return adjtimex(&timex) < 0 ? -errno : 0;
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
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	reply.realtime_ns = (uint64_t)(now.tv_sec * SECOND_NS + now.tv_nsec);
	if (request->adjust_ns <= -STEP_NS || request->adjust_ns >= STEP_NS)
		r = step(request->adjust_ns);
	else if (request->adjust_ns)
		r = slew(request->adjust_ns);
	if (r < 0) {
		err_set_errno(&err, -r, "setting the clock");
		rpc_fail(call, &err);
		return;
	}
	rpc_reply(call, &reply.base);
}
