/* SPDX-License-Identifier: Apache-2.0 */
/* `sbx cp`'s far end: an exec that is a copy, without a program of the container's. */
#ifndef AGENT_COPY_H
#define AGENT_COPY_H

#include "agent/child.h"

/* 0, or -EINVAL for a request that no copy can be made of. Pure. */
int copy_check(const Agent__Copy *copy, struct err *err);

/*
 * In a process of the agent's own that sees the container's files (join.c): copies between them and
 * args->stdio, and ends with 0, or with 1 and a line on standard error.
 */
void copy_run(const struct child_args *args, int root_fd) __attribute__((noreturn));

#endif
