/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are the first of a process namespace of their own: what else runs on the host they
 * can neither name nor see, and what they leave behind dies with them.
 *
 * Only root may make such a namespace as it is. Anybody else needs a user namespace around it, in
 * which the process is who it was before and owns nothing but the namespaces to come.
 */
#ifndef COMMON_APART_H
#define COMMON_APART_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Who the caller is, outside: in a fresh user namespace nobody can be asked. */
struct apart {
	uid_t uid;
	gid_t gid;
};

/*
 * fork(2), for a process of one thread whose child executes another program: 0 in the child, which goes
 * on with apart_begin().
 */
pid_t apart_fork(struct apart *ret);

/* The child's first step; the program is to be able to make the other namespaces too. 0 or -errno. */
int apart_begin(const struct apart *apart);

/* Whether this process is the first of a process namespace. */
bool apart_is_first(void);

/*
 * Where this process is not yet apart: goes on in a child that is, and ends as that ends. Signals that
 * ask for an end are passed on; the child dies with its parent. Returns in the child. For a program
 * that was started without an owner. -errno where the namespaces cannot be had.
 */
int apart_become(struct err *err);

#endif
