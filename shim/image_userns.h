/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user namespace in which an ordinary user's images are built, so that files can belong to
 * somebody: user and group 0 inside are the user's own, 1 and up are the subordinate ids that
 * /etc/subuid and /etc/subgid give the user, mapped by newuidmap(1) and newgidmap(1).
 */
#ifndef SHIM_IMAGE_USERNS_H
#define SHIM_IMAGE_USERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct id_range {
	uint32_t start, count;
};

struct image_userns {
	uid_t uid;
	gid_t gid;
	struct id_range sub_uids, sub_gids;
};

/*
 * The first range of a user, by name or number, in the text of a subuid(5) file. Pure. -ENOENT.
 * Lines that are not understood are passed over.
 */
int subid_find(const char *text, const char *user, uid_t uid, struct id_range *ret);

/*
 * Finds what this user may have. -ENOPKG with one line that says what is missing and how to get it:
 * a range, newuidmap, newgidmap.
 */
int image_userns_find(struct image_userns *ret, struct err *err);

/* Whether a file of these ids has ids inside too. */
bool image_userns_covers(const struct image_userns *ns, uid_t uid, gid_t gid);

/*
 * In the parent: maps the ids of pid, which has unshared its user namespace. In the child, after
 * that: becomes root of the namespace.
 */
int image_userns_map(const struct image_userns *ns, pid_t pid, struct err *err);
int image_userns_become_root(struct err *err);

#endif
