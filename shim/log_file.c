/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

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
