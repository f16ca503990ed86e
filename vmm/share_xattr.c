/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes. The guest has those that are about the file's contents (user.*) and, where its
 * owners are the host's, the ones that go with owners: POSIX ACLs and file capabilities. The host
 * keeps its own to itself: labels of its security modules, and trusted.*, which overlayfs obeys.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "vmm/share_internal.h"

static bool is_open(const struct share *share, const char *name)
{
	if (strncmp(name, "user.", 5) == 0)
		return true;
	return share->privileged && (strcmp(name, "system.posix_acl_access") == 0 ||
				     strcmp(name, "system.posix_acl_default") == 0 ||
				     strcmp(name, "security.capability") == 0);
}

/* The path for l*xattr(2), through the magic link: of a symbolic link, the link's own. */
static int path_of(struct share_call *call, char buf[PATH_FD_MAX], const char **ret)
{
	int fd = share_inode_open(&call->share->inodes, call->inode);

	if (fd < 0)
		return fd;
	*ret = path_of_fd(fd, buf);
	return 0;
}

int share_op_setxattr(struct share_call *call)
{
	const struct fuse_request *req = call->req;
	char buf[PATH_FD_MAX];
	const char *path;
	int r;

	if (!is_open(call->share, req->name))
		return -EOPNOTSUPP;
	r = path_of(call, buf, &path);
	if (r < 0)
		return r;
	if (setxattr(path, req->name, req->data, req->data_len, (int)req->setxattr.flags) < 0)
		return -errno;
	/* The guest's kernel saw that a change of this ACL takes the setgid bit away. */
	if (req->setxattr.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) {
		struct stat st;

		if (fstatat(AT_FDCWD, path, &st, 0) == 0 && st.st_mode & S_ISGID)
			return chmod(path, st.st_mode & 07777 & ~(mode_t)S_ISGID) < 0 ? -errno : 0;
	}
	return 0;
}

/* n bytes of value, as the guest wants them: the size alone, or as much as it has room for. */
static int reply_value(struct share_call *call, const void *value, size_t n)
{
	size_t room = call->req->getxattr.size;

	if (!room)
		return share_reply(call, &(struct fuse_getxattr_out){.size = (uint32_t)n},
				   sizeof(struct fuse_getxattr_out));
	return n > room ? -ERANGE : share_reply(call, value, n);
}

int share_op_getxattr(struct share_call *call)
{
	static __thread uint8_t value[FUSE_PROTO_MAX_VALUE];
	char buf[PATH_FD_MAX];
	const char *path;
	ssize_t n;
	int r;

	if (!call->inode)
		return -ENODATA;
	if (!is_open(call->share, call->req->name))
		return -EOPNOTSUPP;
	r = path_of(call, buf, &path);
	if (r < 0)
		return r;
	n = getxattr(path, call->req->name, value, sizeof(value));
	return n < 0 ? -errno : reply_value(call, value, (size_t)n);
}

int share_op_listxattr(struct share_call *call)
{
	static __thread char names[FUSE_PROTO_MAX_VALUE];
	char buf[PATH_FD_MAX];
	size_t kept = 0;
	const char *path;
	ssize_t n;
	int r;

	if (!call->inode)
		return reply_value(call, NULL, 0);
	r = path_of(call, buf, &path);
	if (r < 0)
		return r;
	n = listxattr(path, names, sizeof(names));
	if (n < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)n;) {
		size_t len = strnlen(names + i, (size_t)n - i) + 1;

		if (i + len > (size_t)n)
			break;
		if (is_open(call->share, names + i)) {
			memmove(names + kept, names + i, len);
			kept += len;
		}
		i += len;
	}
	return reply_value(call, names, kept);
}

int share_op_removexattr(struct share_call *call)
{
	char buf[PATH_FD_MAX];
	const char *path;
	int r;

	if (!is_open(call->share, call->req->name))
		return -EOPNOTSUPP;
	r = path_of(call, buf, &path);
	if (r < 0)
		return r;
	return removexattr(path, call->req->name) < 0 ? -errno : 0;
}
