/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of the host that a pod sees: the owner's side of sbx-share (proto/share.proto). A root
 * is a directory or a file under a name that is unique in the pod.
 */
#ifndef SHIM_SHARE_H
#define SHIM_SHARE_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "common/err.h"

struct hypervisor;
struct loop;
struct share;

/* err is NULL where it worked. */
typedef void (*share_done)(const struct err *err, void *data);

/* Opens a file or directory of the host for share_add(): O_PATH, with its submounts where recursive
 * and without them otherwise, as far as our rights go. Returns the fd. */
int share_clone(const char *path, bool readonly, bool recursive, struct err *err);

/* Starts sbx-share where it does not run yet. readonly: every folder will be. */
int share_create(struct loop *loop, struct hypervisor *hv, bool readonly, struct share **ret,
		 struct err *err);
/* Fails what is under way. */
void share_destroy(struct share *share);
DEFINE_CLEANUP(struct share, share_destroy)

struct share_folder {
	const char *name;
	int fd; /* of share_clone(); stays the caller's */
	bool readonly, recursive;
};

/* done is called once where this returns 0, never from within. */
int share_add(struct share *share, const struct share_folder *folder, share_done done, void *data);
/* Whoever still uses it in the guest gets ESTALE. */
void share_remove(struct share *share, const char *name);

#endif
