/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from image.c, so that who only opens an image is not linked with all that builds one. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/image.h"

int image_open(const char *path, bool writable, struct err *err)
{
	_cleanup_close_ int fd =
		open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "image %.500s", path);
	if (S_ISBLK(st.st_mode))
		return TAKE_FD(fd);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "image %.500s: neither a file nor a block device",
			       path);
	/* Two kernels that write to one file system would destroy it. */
	do
		r = flock(fd, writable ? LOCK_EX | LOCK_NB : LOCK_SH);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "image %.500s", path);
	if (st.st_nlink == 0)
		return err_set(err, ENOENT, "image %.500s: has been removed", path);
	return TAKE_FD(fd);
}
