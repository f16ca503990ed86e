/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/passwd.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

#define MAX_FIELDS 7

struct field {
	const char *at;
	size_t len;
};

/* Splits the next line into at most max fields at ':'; the last one keeps the rest. -1: no line. */
static int next_line(struct passwd_text *text, struct field *fields, int max)
{
	const char *line = text->data, *end, *at;
	int n = 0;

	if (!text->data || !text->size)
		return -1;
	end = memchr(line, '\n', text->size);
	if (!end)
		end = line + text->size;
	text->size -= (size_t)(end - line);
	text->data = end;
	if (text->size) {
		text->data++;
		text->size--;
	}
	for (at = line; n < max; n++) {
		const char *colon = n + 1 < max ? memchr(at, ':', (size_t)(end - at)) : NULL;

		fields[n] = (struct field){at, (size_t)((colon ? colon : end) - at)};
		if (!colon)
			return n + 1;
		at = colon + 1;
	}
	return n;
}

/* A decimal uint32 other than (uint32_t)-1, which means "no change" to the kernel. */
static bool parse_id(struct field f, uint32_t *ret)
{
	uint64_t v = 0;

	if (!f.len || f.len > 10)
		return false;
	for (size_t i = 0; i < f.len; i++) {
		if (f.at[i] < '0' || f.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(f.at[i] - '0');
	}
	if (v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool equal(struct field a, struct field b)
{
	return a.len == b.len && !memcmp(a.at, b.at, a.len);
}

static void copy_home(struct field f, char *home, size_t size)
{
	if (f.len && f.len < size && f.at[0] == '/' && !memchr(f.at, 0, f.len)) {
		memcpy(home, f.at, f.len);
		home[f.len] = 0;
	}
}

/* Finds a user by name, or by number where by_id. name:passwd:uid:gid:gecos:home:shell */
static bool find_user(struct passwd_text passwd, struct field name, const uint32_t *by_id,
		      struct passwd_user *user, struct field *ret_name)
{
	struct field f[MAX_FIELDS];
	int n;

	while ((n = next_line(&passwd, f, MAX_FIELDS)) >= 0) {
		uint32_t uid, gid;

		if (n < 4 || !f[0].len || !parse_id(f[2], &uid) || !parse_id(f[3], &gid))
			continue;
		if (by_id ? uid != *by_id : !equal(f[0], name))
			continue;
		user->uid = uid;
		user->gid = gid;
		if (n >= 6)
			copy_home(f[5], user->home, sizeof(user->home));
		*ret_name = f[0];
		return true;
	}
	return false;
}

static bool lists_member(struct field members, struct field name)
{
	while (members.len) {
		const char *comma = memchr(members.at, ',', members.len);
		struct field one = {members.at, comma ? (size_t)(comma - members.at) : members.len};

		if (equal(one, name))
			return true;
		members.at += one.len + (comma != NULL);
		members.len -= one.len + (comma != NULL);
	}
	return false;
}

/* name:passwd:gid:member,member */
static bool find_group(struct passwd_text group, struct field name, uint32_t *ret)
{
	struct field f[4];
	int n;

	while ((n = next_line(&group, f, 4)) >= 0) {
		if (n >= 3 && f[0].len && equal(f[0], name) && parse_id(f[2], ret))
			return true;
	}
	return false;
}

static int collect_groups(struct passwd_text group, struct field name, struct passwd_user *user,
			  struct err *err)
{
	struct field f[4];
	uint32_t gid;
	int n;

	while ((n = next_line(&group, f, 4)) >= 0) {
		if (n < 4 || !parse_id(f[2], &gid) || !lists_member(f[3], name))
			continue;
		if (user->n_groups == PASSWD_MAX_GROUPS)
			return err_set(err, E2BIG, "user is in more than %d groups",
				       PASSWD_MAX_GROUPS);
		user->groups[user->n_groups++] = gid;
	}
	return 0;
}

int passwd_resolve(const char *spec, struct passwd_text passwd, struct passwd_text group,
		   struct passwd_user *ret, struct err *err)
{
	const char *colon = strchr(spec, ':');
	struct field name = {spec, colon ? (size_t)(colon - spec) : strlen(spec)};
	struct field wanted = {colon ? colon + 1 : NULL, colon ? strlen(colon + 1) : 0};
	struct field known = {NULL, 0};
	uint32_t id;
	int r;

	*ret = (struct passwd_user){0};
	if (!name.len || (colon && !wanted.len))
		return err_set(err, EINVAL, "user \"%.128s\" is not user[:group]", spec);
	/* A name of digits goes before the number, as in chown(1) and docker. */
	if (!find_user(passwd, name, NULL, ret, &known)) {
		if (!parse_id(name, &id))
			return err_set(err, ENOENT, "no user %.*s in the image's /etc/passwd",
				       (int)(name.len < 128 ? name.len : 128), name.at);
		if (!find_user(passwd, name, &id, ret, &known))
			ret->uid = id;
	}
	if (colon) {
		if (!find_group(group, wanted, &ret->gid) && !parse_id(wanted, &ret->gid))
			return err_set(err, ENOENT, "no group %.128s in the image's /etc/group",
				       wanted.at);
		return 0;
	}
	if (known.len) {
		r = collect_groups(group, known, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

bool passwd_home(struct passwd_text passwd, uint32_t uid, char *home, size_t size)
{
	struct passwd_user user = {0};
	struct field known;

	if (!find_user(passwd, known = (struct field){NULL, 0}, &uid, &user, &known) ||
	    !user.home[0])
		return false;
	snprintf(home, size, "%s", user.home);
	return true;
}
