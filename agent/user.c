/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"

/*
 * Reads a file of the image. No such file is an empty one; anything but a regular file is refused
 * before it is read: a pipe would never end.
 */
static int read_text(int root_fd, const char *path, char **ret_data, struct passwd_text *ret,
		     struct err *err)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = path_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return err_set_errno(err, -fd, "the image's %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "the image's %s is no regular file", path);
	if (st.st_size > PASSWD_MAX_FILE)
		return err_set(err, EFBIG, "the image's %s is larger than 1 MiB", path);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return err_set(err, ENOMEM, "out of memory");
	r = io_read_full(fd, data, (size_t)st.st_size);
	if (r < 0)
		return err_set_errno(err, -r, "reading the image's %s", path);
	*ret = (struct passwd_text){data, (size_t)st.st_size};
	*ret_data = TAKE_PTR(data);
	return 0;
}

int user_lookup(const struct process_plan *process, int root_fd, struct passwd_user *ret,
		struct err *err)
{
	_cleanup_free_ char *passwd_data = NULL, *group_data = NULL;
	struct passwd_text passwd = {0}, group = {0};
	int r;

	*ret = (struct passwd_user){.uid = process->uid, .gid = process->gid};
	if (!process->username) {
		/* A broken passwd only matters to who named a user. */
		if (!process->has_home &&
		    read_text(root_fd, "/etc/passwd", &passwd_data, &passwd, NULL) == 0)
			passwd_home(passwd, ret->uid, ret->home, sizeof(ret->home));
	} else {
		/* Nor to who gave a number. */
		bool number = !process->username[strspn(process->username, "0123456789")];

		r = read_text(root_fd, "/etc/passwd", &passwd_data, &passwd, err);
		if (r >= 0 || number)
			r = read_text(root_fd, "/etc/group", &group_data, &group, err);
		if (r >= 0 || number)
			r = passwd_resolve(process->username, passwd, group, ret, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < process->n_groups; i++) {
		if (ret->n_groups == PASSWD_MAX_GROUPS)
			return err_set(err, E2BIG, "more than %d groups", PASSWD_MAX_GROUPS);
		ret->groups[ret->n_groups++] = process->groups[i];
	}
	if (!ret->home[0])
		snprintf(ret->home, sizeof(ret->home), "/");
	return 0;
}

int user_become(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, struct err *err)
{
	if (syscall(SYS_setgroups, n_groups, groups) < 0)
		return err_set_errno(err, errno, "setting %zu groups", n_groups);
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return err_set_errno(err, errno, "becoming group %u", gid);
	if (syscall(SYS_setresuid, uid, uid, uid) < 0)
		return err_set_errno(err, errno, "becoming user %u", uid);
	return 0;
}
