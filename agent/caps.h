/* SPDX-License-Identifier: Apache-2.0 */
/* A process's five capability sets: from names (pure), and onto the calling process. */
#ifndef AGENT_CAPS_H
#define AGENT_CAPS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Bit n stands for capability number n. */
struct caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* -EINVAL, with its name, for one that does not exist. */
int caps_parse(char *const *names, size_t n, uint64_t *ret, struct err *err);

/*
 * The sets are changed around the change of uid, in this order: caps_drop_bounding() while
 * CAP_SETPCAP is still there, setresuid(2) under PR_SET_KEEPCAPS, caps_apply(). Sets keep what the
 * kernel allows; a bit that the process does not have is -EPERM.
 */
int caps_drop_bounding(uint64_t keep);
int caps_apply(const struct caps *caps);
/* Makes a permitted capability effective. */
int caps_raise(int cap);

#endif
