/* SPDX-License-Identifier: Apache-2.0 */
#include "common/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

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

/*
 * Grows the resolved prefix one component at a time. Each step is resolved from the root again, so
 * that links and ".." in the image keep their meaning inside it.
 */
int path_mkdirs_in_root(int rootfd, const char *path)
{
	char prefix[PATH_MAX];
	size_t len = 0;
	_cleanup_close_ int at = path_open_in_root(rootfd, ".", O_PATH | O_DIRECTORY, 0);

	if (at < 0)
		return at;
	if (strlen(path) >= sizeof(prefix))
		return -ENAMETOOLONG;
	while (*path) {
		size_t n = strcspn(path, "/");
		const char *name;
		int next;

		if (n == 0) {
			path++;
			continue;
		}
		if (len)
			prefix[len++] = '/';
		name = prefix + len;
		memcpy(prefix + len, path, n);
		len += n;
		prefix[len] = '\0';
		path += n;
		next = path_open_in_root(rootfd, prefix, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT) {
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
