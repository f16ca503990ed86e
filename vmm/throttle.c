/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/throttle.h"

#include "common/loop.h"

static void on_time(struct source *source, uint32_t events, void *data)
{
	struct throttle *throttle = data;

	throttle->waiting = false;
	throttle->go_on(throttle->data);
}

void throttle_init(struct throttle *throttle, const struct rate *rate, void (*go_on)(void *data),
		   void *data)
{
	*throttle = (struct throttle){.go_on = go_on, .data = data};
	rate_limit_init(&throttle->limit, rate->bytes, rate->ops, now_ns());
}

int throttle_start(struct throttle *throttle, struct loop *loop)
{
	throttle->waiting = false;
	if (!throttle->limit.bytes.rate && !throttle->limit.ops.rate)
		return 0;
	return loop_add_timer(loop, on_time, throttle, &throttle->timer);
}

void throttle_stop(struct throttle *throttle)
{
	source_remove(throttle->timer);
	throttle->timer = NULL;
	throttle->waiting = false;
}

bool throttle_allows(struct throttle *throttle)
{
	if (!throttle->timer)
		return true;
	if (throttle->waiting)
		return false;
	if (rate_limit_allows(&throttle->limit, now_ns()))
		return true;
	throttle->waiting = true;
	throttle->waits++;
	source_arm(throttle->timer, rate_limit_wait(&throttle->limit));
	return false;
}

void throttle_spend(struct throttle *throttle, uint64_t bytes)
{
	if (throttle->timer)
		rate_limit_spend(&throttle->limit, bytes);
}
