/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/copyup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/path.h"

#define MAX_DEPTH   64
#define MAX_ENTRIES 100000
#define CHUNK       (1u << 20)

struct walk {
	unsigned int depth, entries;
};

static int copy_dir(struct walk *walk, int from, int to);

/* Owner first: a change of owner takes set-user-id bits away. */
static int copy_attributes(int to_dir, const char *name, const struct stat *st)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};

	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* What was just made here is what it is: nobody else is in this mount yet. */
	if (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_file(int from_dir, int to_dir, const char *name)
{
	_cleanup_close_ int from = -1, to = -1;
	struct stat st;
	ssize_t n;

	from = path_open_beneath(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (from < 0)
		return from;
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	do
		n = sendfile(to, from, NULL, CHUNK);
	while (n > 0);
	return n < 0 ? -errno : 0;
}

static int copy_link(int from_dir, int to_dir, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = 0;
	return symlinkat(target, to_dir, name) < 0 ? -errno : 0;
}

static int copy_subdir(struct walk *walk, int from_dir, int to_dir, const char *name)
{
	_cleanup_close_ int from = -1, to = -1;

	if (mkdirat(to_dir, name, 0700) < 0)
		return -errno;
	from = path_open_beneath(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
				 0);
	if (from < 0)
		return from;
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return to < 0 ? -errno : copy_dir(walk, from, to);
}

static int copy_entry(struct walk *walk, int from_dir, int to_dir, const char *name)
{
	struct stat st;
	int r;

	if (++walk->entries > MAX_ENTRIES)
		return -E2BIG;
	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		r = copy_file(from_dir, to_dir, name);
		break;
	case S_IFDIR:
		r = copy_subdir(walk, from_dir, to_dir, name);
		break;
	case S_IFLNK:
		r = copy_link(from_dir, to_dir, name);
		break;
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK:
		r = mknodat(to_dir, name, st.st_mode, st.st_rdev) < 0 ? -errno : 0;
		break;
	default:
		return 0;
	}
	return r < 0 ? r : copy_attributes(to_dir, name, &st);
}

static int copy_dir(struct walk *walk, int from, int to)
{
	int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;
	struct dirent *entry;

	if (!dir) {
		r = -errno;
		close_fd(&again);
		return r;
	}
	if (++walk->depth > MAX_DEPTH)
		r = -E2BIG;
	while (r >= 0 && (entry = readdir(dir)))
		if (path_is_name(entry->d_name))
			r = copy_entry(walk, from, to, entry->d_name);
	walk->depth--;
	closedir(dir);
	return r;
}

int copyup(int from_fd, int to_fd, struct err *err)
{
	struct walk walk = {0};
	int r = copy_dir(&walk, from_fd, to_fd);

	return r < 0 ? err_set_errno(err, -r, "tmpcopyup") : 0;
}
