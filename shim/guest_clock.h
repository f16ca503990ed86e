/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's time of day, which is the host's: see the Theory of Operation in guest_clock.c. */
#ifndef SHIM_GUEST_CLOCK_H
#define SHIM_GUEST_CLOCK_H

#include <stdint.h>

#include "common/cleanup.h"

struct guest_clock;
struct loop;
struct sandbox;

/* Follows the host's clock from now on; the sandbox is ready, and outlives it. 0 or -errno. */
int guest_clock_create(struct loop *loop, struct sandbox *sandbox, struct guest_clock **ret);
/* NULL is a no-op. */
void guest_clock_destroy(struct guest_clock *clock);

/*
 * How far to move a guest's clock that showed guest_ns, which was asked for at the host's asked_ns and there
 * at answered_ns; 0 where that tells nothing better. Nanoseconds of CLOCK_REALTIME. Pure.
 */
int64_t guest_clock_correction(uint64_t asked_ns, uint64_t answered_ns, uint64_t guest_ns);

#endif
