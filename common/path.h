/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths beneath a root, resolved by openat2(2): whatever links or ".." the path holds, the result
 * lies inside the root. Magic links are refused.
 */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* As open(2) of path with rootfd as "/": links resolve inside (RESOLVE_IN_ROOT). Returns the fd. */
int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode);

/* As openat(2), but any step outside rootfd is -EXDEV and any link -ELOOP (RESOLVE_BENEATH). */
int path_open_beneath(int rootfd, const char *path, int flags, mode_t mode);

/*
 * Makes the missing directories of path inside the root (mode 0755) and opens the last one with
 * O_PATH|O_DIRECTORY. Returns the fd.
 */
int path_mkdirs_in_root(int rootfd, const char *path);

/*
 * Splits what comes before the last component from that; "." and ".." and "/" are no names: then *ret_dir is
 * the whole path, and the name is ".". Pure; -EINVAL of an empty path, -ENAMETOOLONG.
 */
int path_split(const char *path, char ret_dir[PATH_MAX], char ret_name[NAME_MAX + 1]);

#define PATH_FD_MAX 32
/* The name of what fd, of this process, refers to; for calls that know no descriptors or not O_PATH's. */
const char *path_of_fd(int fd, char buf[PATH_FD_MAX]);
/* Where path_of_fd()'s names are, instead of "/proc/self/fd". Static. */
void path_fds_at(const char *dir);

/* True for a name that can be one path component: not empty, ".", "..", no slash, at most 255. */
bool path_is_name(const char *name);

#endif
