/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's seccomp filter: a program that the host compiled, kept for the container's life, as each
 * exec gets it, too. What the instructions mean the kernel verifies when they are loaded.
 */
#ifndef AGENT_SECCOMP_H
#define AGENT_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "spec.pb-c.h"

/* n 0: no filter. */
struct seccomp {
	struct sock_filter *insns;
	size_t n;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* */
};

/* spec may be NULL. *ret points into it. Pure. -EINVAL, with the field's name. */
int seccomp_parse(const Spec__Seccomp *spec, struct seccomp *ret, struct err *err);
/* A copy of its own, freed by seccomp_finish(). */
int seccomp_copy(const struct seccomp *from, struct seccomp *ret);
void seccomp_finish(struct seccomp *seccomp);

/* For the calling process and all that it becomes. */
int seccomp_load(const struct seccomp *seccomp);

#endif
