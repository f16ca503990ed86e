/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files for the guest. What is opened is what an O_PATH descriptor refers to, whose type
 * cannot change any more, and only regular files are: a device node, a fifo or a socket that lies in a
 * share is the guest's own kernel's to open, and is never opened here.
 *
 * The descriptor is for reading and writing data and nothing else. O_APPEND is left out, because the
 * guest's kernel says with each write where it goes; so are O_TRUNC, O_SYNC and O_DIRECT, which it
 * does itself.
 */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/path.h"
#include "vmm/share_internal.h"

#define TICK_NS (20 * 1000000ll) /* the longest of a clock that file systems read */

int share_reopen(int path_fd, int flags)
{
	char path[PATH_FD_MAX];
	struct stat st;
	int fd;

	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -EPERM;
	/* O_NONBLOCK: a lease of somebody else's makes it fail, not wait. */
	fd = open(path_of_fd(path_fd, path), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int access_mode(const struct share_call *call, uint32_t flags, int *ret)
{
	*ret = (int)(flags & O_ACCMODE);
	if (*ret == O_ACCMODE)
		return -EINVAL;
	return *ret != O_RDONLY && call->inode->root->readonly ? -EROFS : 0;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether it could change once more and its times not show it: they are those of the last clock tick. */
static bool is_fresh(const struct stat *st)
{
	const struct timespec *t = &st->st_mtim;
	struct timespec now;

	if (st->st_ctim.tv_sec > t->tv_sec ||
	    (st->st_ctim.tv_sec == t->tv_sec && st->st_ctim.tv_nsec > t->tv_nsec))
		t = &st->st_ctim;
	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - t->tv_sec) * 1000000000ll + (now.tv_nsec - t->tv_nsec) < TICK_NS;
}

/*
 * What the guest has cached of the file stays good where the file has not changed since it was last
 * opened: close-to-open coherence, without which each start of a program would read its libraries
 * anew.
 */
static uint32_t open_flags(struct share_inodes *inodes, struct share_inode *inode, int fd)
{
	struct stat st;
	bool same;

	if (fstat(fd, &st) < 0)
		return 0;
	share_inode_seen(inodes, inode, &st);
	same = inode->seen_size == st.st_size && same_time(&inode->seen_mtime, &st.st_mtim) &&
	       same_time(&inode->seen_ctime, &st.st_ctim);
	inode->seen_size = is_fresh(&st) ? -1 : st.st_size;
	inode->seen_mtime = st.st_mtim;
	inode->seen_ctime = st.st_ctim;
	return same ? FOPEN_KEEP_CACHE : 0;
}

int share_op_open(struct share_call *call)
{
	struct fuse_open_out out = {0};
	int path_fd, fd, mode;
	int r = access_mode(call, call->req->open.flags, &mode);

	if (r < 0)
		return r;
	if (call->inode->type != S_IFREG)
		return call->inode->type == S_IFDIR ? -EISDIR : -EPERM;
	path_fd = share_inode_open(&call->share->inodes, call->inode);
	if (path_fd < 0)
		return path_fd;
	fd = share_reopen(path_fd, mode);
	if (fd < 0)
		return fd;
	call->fd_out = fd;
	out.open_flags = open_flags(&call->share->inodes, call->inode, fd);
	return share_reply(call, &out, sizeof(out));
}

/* The answer to CREATE and TMPFILE: the entry and the open file, which is call->fd_out. */
static int reply_created(struct share_call *call, struct share_inode *parent, const char *name,
			 const struct stat *st)
{
	struct fuse_entry_out entry;
	struct fuse_open_out out = {0};
	int r = share_fill_entry(call->share, call->inode->root, parent, name, st, &entry);

	if (r == 0)
		r = share_reply(call, &entry, sizeof(entry));
	return r < 0 ? r : share_reply(call, &out, sizeof(out));
}

int share_op_create(struct share_call *call)
{
	const struct fuse_create_in *in = &call->req->create;
	struct stat st;
	int dir_fd, mode, r = access_mode(call, in->flags, &mode);

	if (r < 0)
		return r;
	dir_fd = share_inode_open(&call->share->inodes, call->inode);
	if (dir_fd < 0)
		return dir_fd;
	r = share_creds_assume(call->share, call->req->h.uid, call->req->h.gid);
	if (r < 0)
		return r;
	umask(in->umask & 0777);
	call->fd_out = openat(dir_fd, call->req->name,
			      mode | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
			      in->mode & 07777);
	r = call->fd_out < 0 ? -errno : 0;
	share_creds_own();
	/* Of a name that the guest did not know: its kernel looks again, and at who may open the file. */
	if (r == -EEXIST && !(in->flags & O_EXCL))
		r = -ESTALE;
	if (r == 0 && fstat(call->fd_out, &st) < 0)
		r = -errno;
	return r < 0 ? r : reply_created(call, call->inode, call->req->name, &st);
}

int share_op_tmpfile(struct share_call *call)
{
	const struct fuse_create_in *in = &call->req->create;
	_cleanup_close_ int path_fd = -1;
	struct share_inode *inode;
	char path[PATH_FD_MAX];
	struct stat st;
	int dir_fd, mode, r = access_mode(call, in->flags, &mode);

	if (r < 0 || mode == O_RDONLY)
		return r < 0 ? r : -EINVAL;
	dir_fd = share_inode_open(&call->share->inodes, call->inode);
	if (dir_fd < 0)
		return dir_fd;
	r = share_creds_assume(call->share, call->req->h.uid, call->req->h.gid);
	if (r < 0)
		return r;
	umask(in->umask & 0777);
	/* O_EXCL forbids a name for ever, to us as to everybody. */
	call->fd_out =
		open(path_of_fd(dir_fd, path),
		     mode | O_TMPFILE | O_CLOEXEC | (int)(in->flags & O_EXCL), in->mode & 07777);
	r = call->fd_out < 0 ? -errno : 0;
	share_creds_own();
	if (r < 0)
		return r;
	if (fstat(call->fd_out, &st) < 0)
		return -errno;
	path_fd = open(path_of_fd(call->fd_out, path), O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return -errno;
	r = reply_created(call, NULL, NULL, &st);
	if (r < 0)
		return r;
	/* No name to find it by: its descriptor stays. */
	inode = share_inode_by_stat(&call->share->inodes, call->inode->root, &st);
	share_inode_set_fd(&call->share->inodes, inode, TAKE_FD(path_fd));
	share_inode_pin(&call->share->inodes, inode);
	return 0;
}
