/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "agent/fsmount.h"
#include "common/cleanup.h"
#include "common/path.h"

#define SHARE_TAG "sbx" /* the device's */

int share_check(const char *name, const char *what, struct err *err)
{
	if (!path_is_name(name))
		return err_set(err, EINVAL, "%.128s: \"%.64s\" is not the name of a share", what,
			       name);
	return 0;
}

int share_mount(struct err *err)
{
	_cleanup_fsmount_ struct fsmount fs = FSMOUNT_INIT;
	_cleanup_close_ int fd = -1;
	int r = fsmount_open(&fs, "virtiofs", err);

	if (r >= 0)
		r = fsmount_set(&fs, "source", SHARE_TAG, err);
	if (r < 0)
		return r;
	fd = fsmount_create(&fs, 0, err);
	if (fd < 0)
		return fd;
	if (move_mount(fd, "", AT_FDCWD, SHARE_WORK, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set_errno(err, errno, "mounting %s", SHARE_WORK);
	return 0;
}

int share_open(const char *name, struct err *err)
{
	_cleanup_close_ int dir = open(SHARE_WORK, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -errno : path_open_beneath(dir, name, O_PATH | O_NOFOLLOW, 0);

	return fd < 0 ? err_set_errno(err, -fd, "share %.64s", name) : fd;
}
