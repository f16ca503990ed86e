/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AGENT_INIT_H
#define AGENT_INIT_H

#include "agent/child.h"

/*
 * The caller, PID 1 of the container's pid namespace and ready to start, stays what it is and runs
 * the process as its child. The arguments are child_become()'s. Exits with the process's status,
 * 128 + n where signal n ended it.
 */
void init_run(const struct child_args *args, int root_fd, int tty_fd) __attribute__((noreturn));

#endif
