/* SPDX-License-Identifier: Apache-2.0 */
/* Executes a plan's operations, in the container's first process, before it changes its root. */
#ifndef AGENT_MOUNT_H
#define AGENT_MOUNT_H

#include "agent/plan.h"
#include "common/err.h"

/*
 * Beforehand, in the helper, which still is root of the guest, and after device_prepare(): makes those mounts of a
 * container with a user namespace that its own root may not make. joined: what mount_awaits_join() is about, by a
 * child of the helper once that has joined the namespaces of others; else the rest.
 */
int mount_prepare(const struct plan *plan, bool joined, struct err *err);
/* Whether there is a proc of a process namespace that is to be joined among them. */
bool mount_awaits_join(const struct plan *plan);

/*
 * Runs the operations, from first to last, on the root file system that root_fd refers to. The
 * agent's own /proc and /dev are still at hand, under their paths.
 */
int mount_execute(const struct plan *plan, int root_fd, struct err *err);

/* What comes once root_fd is "/": pivot_root(2) takes no shared mount, and what is made read-only must be whole. */
int mount_finish(const struct plan *plan, int root_fd, struct err *err);

/* Makes the directory that root_fd refers to, a mount's root, the process's "/" and lets the old
 * one go. */
int mount_pivot(int root_fd, struct err *err);

/* Writes a sysctl of the namespaces that the caller is in; plan_linux_sysctl() has judged it. */
int mount_sysctl(const char *name, const char *value, struct err *err);

/* Puts what fd refers to over the file path in the root, which is made. */
int mount_over_file(int root_fd, const char *path, int fd);

#endif
