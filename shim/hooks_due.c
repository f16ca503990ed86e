/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/hooks_due.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_MS 20

struct hooks_due {
	char *path;
	int fd; /* locked */
};

static int lock(int fd, int timeout_ms)
{
	struct stat st;

	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += WAIT_STEP_MS) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (ms >= timeout_ms)
			return -EBUSY;
		nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
	}
	/* Whoever had it may have run them. */
	return fstat(fd, &st) < 0 ? -errno : st.st_nlink == 0 ? -ENOENT : 0;
}

static int take(const char *path, int flags, int timeout_ms, struct hooks_due **ret)
{
	_cleanup_(hooks_due_destroy_p) struct hooks_due *due = calloc(1, sizeof(*due));
	int r;

	if (!due)
		return -ENOMEM;
	due->path = strdup(path);
	due->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (!due->path || due->fd < 0)
		return due->fd < 0 ? -errno : -ENOMEM;
	r = lock(due->fd, timeout_ms);
	if (r == 0)
		*ret = TAKE_PTR(due);
	return r;
}

int hooks_due_create(const char *path, struct hooks_due **ret, struct err *err)
{
	int r = take(path, O_CREAT | O_EXCL, 0, ret);

	return r < 0 ? err_set_errno(err, -r, "%.256s: poststop hooks cannot be noted", path) : 0;
}

int hooks_due_take(const char *path, int timeout_ms, struct hooks_due **ret)
{
	return take(path, 0, timeout_ms, ret);
}

void hooks_due_over(struct hooks_due *due)
{
	if (due)
		unlink(due->path);
	hooks_due_destroy(due);
}

void hooks_due_destroy(struct hooks_due *due)
{
	if (!due)
		return;
	close_fd(&due->fd);
	free(due->path);
	free(due);
}
