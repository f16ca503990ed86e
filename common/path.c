/* SPDX-License-Identifier: Apache-2.0 */
#include "common/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define MAX_LINKS 40 /* as the kernel */

static int openat2_retry(int dirfd, const char *path, const struct open_how *how)
{
	long fd;

	/* RESOLVE_* checks against concurrent renames give EAGAIN; the kernel asks to try again. */
	for (int i = 0; i < 64; i++) {
		fd = syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

static int open_how(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	return openat2_retry(dirfd, path, &how);
}

int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_IN_ROOT);
}

int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* What a link that leads to nothing yet leads to, in place of its name in path. */
static int follow(int at, const char *name, const char *after, char path[PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(at, name, target, sizeof(target));
	size_t rest = strlen(after);

	if (n < 0)
		return -errno;
	if ((size_t)n + 1 + rest >= PATH_MAX)
		return -ENAMETOOLONG;
	memmove(path + n + 1, after, rest + 1);
	memcpy(path, target, (size_t)n);
	path[n] = '/';
	return 0;
}

/*
 * Grows the resolved prefix one component at a time. Each step is resolved from the root again, so
 * that links and ".." in the image keep their meaning inside it.
 */
int path_mkdirs_in_root(int rootfd, const char *path)
{
	char prefix[PATH_MAX], rest[PATH_MAX], *p = rest;
	size_t len = 0;
	unsigned links = 0;
	_cleanup_close_ int at = path_open_in_root(rootfd, ".", O_PATH | O_DIRECTORY, 0);

	if (at < 0)
		return at;
	if (strlen(path) >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(rest, path, strlen(path) + 1);
	while (*(p += strspn(p, "/"))) {
		size_t n = strcspn(p, "/"), before = len;
		const char *name;
		int next;

		if (len + n + 2 > sizeof(prefix))
			return -ENAMETOOLONG;
		if (len)
			prefix[len++] = '/';
		name = prefix + len;
		memcpy(prefix + len, p, n);
		len += n;
		prefix[len] = '\0';
		p += n;
		next = path_open_in_root(rootfd, prefix, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT && follow(at, name, p, rest) == 0) {
			if (++links > MAX_LINKS)
				return -ELOOP;
			p = rest;
			len = rest[0] == '/' ? 0 : before;
			prefix[len] = '\0';
			next = path_open_in_root(rootfd, len ? prefix : ".", O_PATH | O_DIRECTORY,
						 0);
		} else if (next == -ENOENT) {
			if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
				return -errno;
			next = path_open_in_root(rootfd, prefix, O_PATH | O_DIRECTORY, 0);
		}
		if (next < 0)
			return next;
		close(at);
		at = next;
	}
	return TAKE_FD(at);
}

int path_split(const char *path, char ret_dir[PATH_MAX], char ret_name[NAME_MAX + 1])
{
	size_t end = strlen(path), begin;
	char name[NAME_MAX + 1];

	if (!end)
		return -EINVAL;
	if (end >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret_dir, path, end + 1);
	while (end && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/';)
		begin--;
	if (end - begin > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path + begin, end - begin);
	name[end - begin] = '\0';
	if (!path_is_name(name)) {
		memcpy(ret_name, ".", 2);
		return 0;
	}
	memcpy(ret_name, name, end - begin + 1);
	if (begin)
		ret_dir[begin] = '\0';
	else
		memcpy(ret_dir, ".", 2);
	return 0;
}

static const char *fds_dir = "/proc/self/fd";

void path_fds_at(const char *dir)
{
	fds_dir = dir;
}

const char *path_of_fd(int fd, char buf[PATH_FD_MAX])
{
	snprintf(buf, PATH_FD_MAX, "%s/%d", fds_dir, fd);
	return buf;
}
