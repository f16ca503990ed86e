/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/path.h"

#define BLOCK 4096u

int log_file_trim(int fd, uint64_t keep)
{
	off_t old;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size <= keep)
		return 0;
	old = (off_t)(((uint64_t)st.st_size - keep) & ~(uint64_t)(BLOCK - 1));
	if (!old || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, old) == 0)
		return 0;
	return errno == EOPNOTSUPP && ftruncate(fd, 0) == 0 ? 0 : -errno;
}

ssize_t log_file_read(int fd, void *buf, size_t size)
{
	off_t at = lseek(fd, 0, SEEK_CUR), data = at < 0 ? -1 : lseek(fd, at, SEEK_DATA);
	struct stat st;

	/* Nothing from here on, or no file: the place is kept. */
	if (data < 0 && at >= 0)
		lseek(fd, at, SEEK_SET);
	if (at > 0 && fstat(fd, &st) == 0 && st.st_size < at)
		lseek(fd, 0, SEEK_SET);
	return read(fd, buf, size);
}

/* --- a file that others write to ------------------------------------------------------------- */

struct log_guard {
	int fd, watch;
	uint64_t keep;
	off_t trim_at;
	struct source *source;
};

static void on_change(struct source *source, uint32_t events, void *data)
{
	struct log_guard *guard = data;
	char buf[4096];
	struct stat st;

	/* That it has changed, be it often, is all that they say. */
	while (read(guard->watch, buf, sizeof(buf)) > 0)
		;
	if (fstat(guard->fd, &st) < 0 || st.st_size < guard->trim_at)
		return;
	log_file_trim(guard->fd, guard->keep);
	if (fstat(guard->fd, &st) == 0)
		guard->trim_at = st.st_size + (off_t)(guard->keep / 4);
}

int log_guard_create(struct loop *loop, int fd, uint64_t keep, struct log_guard **ret)
{
	_cleanup_(log_guard_destroy_p) struct log_guard *guard = malloc(sizeof(*guard));
	char path[PATH_FD_MAX];
	int r;

	if (!guard)
		return -ENOMEM;
	*guard = (struct log_guard){.fd = fd, .keep = keep, .trim_at = (off_t)(keep + keep / 4)};
	guard->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (guard->watch < 0 ||
	    inotify_add_watch(guard->watch, path_of_fd(fd, path), IN_MODIFY) < 0)
		return -errno;
	r = loop_add_io(loop, guard->watch, EPOLLIN, on_change, guard, &guard->source);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(guard);
	return 0;
}

void log_guard_destroy(struct log_guard *guard)
{
	if (!guard)
		return;
	source_remove(guard->source);
	close_fd(&guard->watch);
	free(guard);
}
