/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tsc_khz - prints the frequency of this machine's time stamp counter
 *
 * Theory of Operation: an emulated machine's counter is the one of the machine beneath, whose frequency its
 * kernel measures while it boots, against timers that are emulated too. Where others want the processor as
 * well, it can find one that is wrong several times over, and its clock with it. So it is told: the counter
 * is read beside the clock twice, each time when nothing came in between.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct moment {
	uint64_t ticks;
	uint64_t ns;
};

static struct moment now(void)
{
	uint64_t shortest = UINT64_MAX;
	struct moment best = {0};

	for (int i = 0; i < 100; i++) {
		uint64_t before = __rdtsc(), took;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
		took = __rdtsc() - before;
		if (took >= shortest)
			continue;
		shortest = took;
		best.ticks = before + took / 2;
		best.ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return best;
}

int main(void)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	struct moment first = now(), last;

	nanosleep(&pause, NULL);
	last = now();
	printf("%ju\n", (uintmax_t)((last.ticks - first.ticks) * 1000000 / (last.ns - first.ns)));
	return 0;
}
