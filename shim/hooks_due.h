/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note that a container's poststop hooks are due: a file, there from when the hooks of its creation begin until
 * those have run. Who is to run them has it locked: the shim while it lives, then whoever deletes the container.
 */
#ifndef SHIM_HOOKS_DUE_H
#define SHIM_HOOKS_DUE_H

#include "common/cleanup.h"
#include "common/err.h"

struct hooks_due;

/* Notes it; they are the caller's to run. -EEXIST. */
int hooks_due_create(const char *path, struct hooks_due **ret, struct err *err);
/*
 * Takes over from one who has gone. Waits for him, timeout_ms at most: -EBUSY, they are his still. -ENOENT: they are
 * not due.
 */
int hooks_due_take(const char *path, int timeout_ms, struct hooks_due **ret);
/* They have run. due is freed; NULL: nothing was noted. */
void hooks_due_over(struct hooks_due *due);
/* Frees; they stay due. */
void hooks_due_destroy(struct hooks_due *due);
DEFINE_CLEANUP(struct hooks_due, hooks_due_destroy)

#endif
