/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces that containers share: another container's, joined through its init, and the pod's own pid
 * namespace, whose process 1 is a program of ours that does nothing but reap.
 */
#ifndef AGENT_NS_H
#define AGENT_NS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct agent;
struct plan;

#define NS_MAX_JOINS 8

/* What a container's helper joins. The descriptors are borrowed. */
struct ns_joins {
	struct {
		uint64_t flag; /* CLONE_NEW* */
		int pidfd;
	} of[NS_MAX_JOINS];
	size_t n;
	int ready_fd; /* readable once the pod's process 1 is what it shall be; -1: not needed */
};

/* The process 1 of the pod's pid namespace. pidfd -1: not made yet. */
struct ns_pod {
	int pidfd, ready_fd;
};

/* Finds what plan wants to join. -ENOENT, -EBUSY for a container that is not there to be joined. */
int ns_find_joins(struct agent *agent, const struct plan *plan, struct ns_joins *ret,
		  struct err *err);

/* In the helper: joins. The next child is in the pid namespace. */
int ns_join(const struct ns_joins *joins, struct err *err);

/* main() of the pod's process 1: ready_fd is the number of an eventfd, as text. */
void ns_run_pod_init(const char *ready_fd) __attribute__((noreturn));

#endif
