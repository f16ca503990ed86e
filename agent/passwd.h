/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups out of an image's own passwd(5) and group(5), as docker reads a USER line:
 * "user", "uid", "user:group", "uid:gid". Pure and bounded: the text is the image's, so hostile; a
 * line that makes no sense is skipped.
 */
#ifndef AGENT_PASSWD_H
#define AGENT_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PASSWD_MAX_GROUPS 1024
#define PASSWD_MAX_FILE   (1u << 20)

struct passwd_user {
	uint32_t uid, gid;
	char home[256]; /* empty: none known */
	uint32_t groups[PASSWD_MAX_GROUPS];
	size_t n_groups;
};

struct passwd_text {
	const char *data; /* need not be NUL-terminated; may be NULL: there is no such file */
	size_t size;
};

/*
 * Resolves spec. A number that passwd does not know stands for itself, with group 0; an unknown
 * name is -ENOENT. Supplementary groups are those that list the user, where spec names no group.
 */
int passwd_resolve(const char *spec, struct passwd_text passwd, struct passwd_text group,
		   struct passwd_user *ret, struct err *err);

/* The home directory of uid. false, and home untouched, where there is no line for it. */
bool passwd_home(struct passwd_text passwd, uint32_t uid, char *home, size_t size);

#endif
