/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's rate limit on the loop. A device asks before it takes the next thing from its queue. Where it is
 * told to wait it leaves the queue alone, kicks and all, until go_on() is called, once, by a timer.
 */
#ifndef VMM_THROTTLE_H
#define VMM_THROTTLE_H

#include "vmm/rate_limit.h"

struct loop;
struct source;

/* What a second may bring; 0: no limit. */
struct rate {
	uint64_t bytes, ops;
};

struct throttle {
	struct rate_limit limit;
	struct source *timer; /* NULL: there is no limit, or the device is not active */
	bool waiting;
	uint64_t waits; /* how often it was told to */
	void (*go_on)(void *data);
	void *data;
};

/* Sets the limit; throttle_start() is still to come. */
void throttle_init(struct throttle *throttle, const struct rate *rate, void (*go_on)(void *data),
		   void *data);
/* 0 or -errno. */
int throttle_start(struct throttle *throttle, struct loop *loop);
/* No go_on() follows. What was spent stays so: a reset brings nothing back. */
void throttle_stop(struct throttle *throttle);
bool throttle_allows(struct throttle *throttle);
void throttle_spend(struct throttle *throttle, uint64_t bytes);

#endif
