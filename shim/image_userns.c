/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_userns.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/opts.h"
#include "shim/host_user.h"
#include "shim/image_tool.h"

#define SUBID_FILE_MAX (1u << 20)

/* "name:start:count", of n bytes. */
static bool parse_line(const char *line, size_t n, const char *user, uid_t uid,
		       struct id_range *ret)
{
	char copy[128], number[16];
	char *start, *count;
	uint64_t first, many;

	if (n >= sizeof(copy))
		return false;
	memcpy(copy, line, n);
	copy[n] = '\0';
	start = strchr(copy, ':');
	if (!start)
		return false;
	*start++ = '\0';
	count = strchr(start, ':');
	if (!count)
		return false;
	*count++ = '\0';
	snprintf(number, sizeof(number), "%u", uid);
	if (strcmp(copy, user) != 0 && strcmp(copy, number) != 0)
		return false;
	if (parse_uint(start, &first) < 0 || parse_uint(count, &many) < 0 || many == 0)
		return false;
	if (first == 0 || first > UINT32_MAX || many > UINT32_MAX - first)
		return false;
	ret->start = (uint32_t)first;
	ret->count = (uint32_t)many;
	return true;
}

int subid_find(const char *text, const char *user, uid_t uid, struct id_range *ret)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (parse_line(text, n, user, uid, ret))
			return 0;
		text += n;
		if (*text)
			text++;
	}
	return -ENOENT;
}

static int find_range(const char *path, const char *user, uid_t uid, struct id_range *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = io_read_file(AT_FDCWD, path, SUBID_FILE_MAX, &text, NULL);

	return r < 0 ? r : subid_find(text, user, uid, ret);
}

/* Whom only a directory service knows is believed: newuidmap(1) does not. */
static const char *login_name(uid_t uid)
{
	const char *name = host_user_name(uid);

	if (!name)
		name = getenv("USER");
	return name ? name : "";
}

int image_userns_find(struct image_userns *ret, struct err *err)
{
	struct image_userns ns = {.uid = geteuid(), .gid = getegid()};
	const char *user = login_name(ns.uid);

	if (!image_tool_exists("newuidmap") || !image_tool_exists("newgidmap"))
		return err_set(err, ENOPKG,
			       "building an image without root needs newuidmap; install the "
			       "package uidmap");
	if (find_range("/etc/subuid", user, ns.uid, &ns.sub_uids) < 0 ||
	    find_range("/etc/subgid", user, ns.uid, &ns.sub_gids) < 0)
		return err_set(err, ENOPKG,
			       "building an image without root needs subordinate ids; as root: "
			       "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s",
			       user);
	*ret = ns;
	return 0;
}

static bool is_in(const struct id_range *range, uint32_t id)
{
	return id >= range->start && id - range->start < range->count;
}

bool image_userns_covers(const struct image_userns *ns, uid_t uid, gid_t gid)
{
	return (uid == ns->uid || is_in(&ns->sub_uids, uid)) &&
	       (gid == ns->gid || is_in(&ns->sub_gids, gid));
}

static int map(const char *tool, pid_t pid, uint32_t own, const struct id_range *range,
	       struct err *err)
{
	char numbers[4][16];
	const char *argv[] = {tool, numbers[0], "0",        numbers[1], "1",
			      "1",  numbers[2], numbers[3], NULL};

	snprintf(numbers[0], sizeof(numbers[0]), "%d", (int)pid);
	snprintf(numbers[1], sizeof(numbers[1]), "%u", own);
	snprintf(numbers[2], sizeof(numbers[2]), "%u", range->start);
	snprintf(numbers[3], sizeof(numbers[3]), "%u", range->count);
	return image_tool_run(argv, err);
}

int image_userns_map(const struct image_userns *ns, pid_t pid, struct err *err)
{
	int r = map("newuidmap", pid, ns->uid, &ns->sub_uids, err);

	return r < 0 ? r : map("newgidmap", pid, ns->gid, &ns->sub_gids, err);
}

int image_userns_become_root(struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set_errno(err, errno, "root of the user namespace");
	return 0;
}
