/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in directories: looking up, making, removing, moving. A name has been checked to be one path
 * component, so an at-call with a directory's descriptor cannot leave that directory, and none of
 * them follows a symbolic link: what links mean is for the guest's kernel to find out, beneath its
 * own root.
 *
 * A file that loses a name through us may be in use in the guest. So before that its inode, where the
 * table has it, is opened and keeps its descriptor (share_inode_pin()).
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/share_internal.h"

int share_stat_name(int dir_fd, const char *name, struct stat *st)
{
	return fstatat(dir_fd, name, st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0 ? -errno : 0;
}

int share_reply_entry(struct share_call *call, int dir_fd, const char *name)
{
	struct fuse_entry_out out;
	struct stat st;
	int r = share_stat_name(dir_fd, name, &st);

	if (r == 0)
		r = share_fill_entry(call->share, call->inode->root, call->inode, name, &st, &out);
	return r < 0 ? r : share_reply(call, &out, sizeof(out));
}

/* The directory of the roots: its entries are asked for anew each time, as roots come and go. */
static int lookup_root(struct share_call *call)
{
	const struct share_name *name = share_name_find(call->share, call->req->name);
	struct fuse_entry_out out;
	struct stat st;
	int r;

	if (!name)
		return -ENOENT;
	if (fstat(name->root->inode->fd, &st) < 0)
		return -errno;
	r = share_fill_entry(call->share, name->root, NULL, NULL, &st, &out);
	if (r < 0)
		return r;
	out.entry_valid = 0;
	out.entry_valid_nsec = 0;
	return share_reply(call, &out, sizeof(out));
}

static int open_dir(struct share_call *call)
{
	return share_inode_open(&call->share->inodes, call->inode);
}

int share_op_lookup(struct share_call *call)
{
	int fd;

	if (!call->inode)
		return lookup_root(call);
	fd = open_dir(call);
	return fd < 0 ? fd : share_reply_entry(call, fd, call->req->name);
}

int share_op_readlink(struct share_call *call)
{
	char text[PATH_MAX];
	int fd = open_dir(call);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", text, sizeof(text));
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno; /* what an empty path says of others */
	return share_reply(call, text, (size_t)n);
}

/* --- making --------------------------------------------------------------------------------- */

struct making {
	mode_t mode, umask;
	dev_t dev;
};

static int make(const struct share_call *call, int fd, const struct making *m)
{
	const char *name = call->req->name;

	umask(m->umask & 0777);
	switch (call->req->h.opcode) {
	case FUSE_MKDIR:
		return mkdirat(fd, name, m->mode & 07777) < 0 ? -errno : 0;
	case FUSE_SYMLINK:
		return symlinkat(call->req->name2, fd, name) < 0 ? -errno : 0;
	default:
		return mknodat(fd, name, m->mode, m->dev) < 0 ? -errno : 0;
	}
}

static int make_and_reply(struct share_call *call, const struct making *m)
{
	int fd = open_dir(call), r;

	if (fd < 0)
		return fd;
	r = share_creds_assume(call->share, call->req->h.uid, call->req->h.gid);
	if (r < 0)
		return r;
	r = make(call, fd, m);
	share_creds_own();
	return r < 0 ? r : share_reply_entry(call, fd, call->req->name);
}

int share_op_mkdir(struct share_call *call)
{
	const struct fuse_mkdir_in *in = &call->req->mkdir;

	return make_and_reply(call, &(struct making){.mode = in->mode, .umask = in->umask});
}

int share_op_symlink(struct share_call *call)
{
	return make_and_reply(call, &(struct making){0});
}

/* A device node is a key to the host for whoever opens it there: only where the owner allows it. */
int share_op_mknod(struct share_call *call)
{
	const struct fuse_mknod_in *in = &call->req->mknod;
	uint32_t ma = (in->rdev >> 8) & 0xfff, mi = (in->rdev & 0xff) | (in->rdev >> 12 & 0xfff00);
	struct making m = {.mode = in->mode, .umask = in->umask};

	switch (in->mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		/* 0:0 is overlayfs's whiteout, which opens nothing. */
		if (!call->inode->root->devices && (S_ISBLK(in->mode) || in->rdev))
			return -EPERM;
		m.dev = makedev(ma, mi);
		break;
	default:
		return -EINVAL;
	}
	return make_and_reply(call, &m);
}

int share_op_link(struct share_call *call)
{
	struct share *share = call->share;
	struct share_inode *what = share_inode_find(&share->inodes, call->req->link.oldnodeid);
	char path[PATH_FD_MAX];
	struct stat st;
	int from, to;

	if (!what)
		return -ESTALE;
	/* Both ends must be one root's: two may differ in what is allowed. */
	if (what->root != call->inode->root)
		return -EXDEV;
	from = share_inode_open(&share->inodes, what);
	to = from < 0 ? from : open_dir(call);
	if (to < 0)
		return to;
	if (linkat(AT_FDCWD, path_of_fd(from, path), to, call->req->name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	if (fstat(from, &st) == 0)
		share_inode_seen(&share->inodes, what, &st);
	return share_reply_entry(call, to, call->req->name);
}

/* --- removing and moving -------------------------------------------------------------------- */

/* The inode that the table has of a name, pinned; NULL where it has none. */
static struct share_inode *pin_name(struct share_call *call, const struct share_inode *dir,
				    int dir_fd, const char *name, struct stat *st)
{
	struct share_inode *inode;

	if (share_stat_name(dir_fd, name, st) < 0)
		return NULL;
	inode = share_inode_by_stat(&call->share->inodes, dir->root, st);
	if (inode)
		share_inode_pin(&call->share->inodes, inode);
	return inode;
}

/* Done: what still has a name can be found by it. */
static void unpin(struct share_call *call, struct share_inode *inode)
{
	if (inode)
		share_inode_unpin(&call->share->inodes, inode);
}

/* name in dir is gone: was it what the inode was found by? */
static void lose_name(struct share_call *call, struct share_inode *inode,
		      const struct share_inode *dir, const char *name)
{
	if (inode && inode->parent == dir && inode->name && strcmp(inode->name, name) == 0)
		share_inode_rename(&call->share->inodes, inode, NULL, NULL);
}

static int unlink_name(struct share_call *call, int flags)
{
	struct share_inode *inode;
	struct stat st;
	int fd = open_dir(call), r = 0;

	if (fd < 0)
		return fd;
	inode = pin_name(call, call->inode, fd, call->req->name, &st);
	fd = open_dir(call); /* pinning may have closed it */
	if (fd < 0)
		return fd;
	if (unlinkat(fd, call->req->name, flags) < 0)
		r = -errno;
	else
		lose_name(call, inode, call->inode, call->req->name);
	unpin(call, inode);
	return r;
}

int share_op_unlink(struct share_call *call)
{
	return unlink_name(call, 0);
}

int share_op_rmdir(struct share_call *call)
{
	return unlink_name(call, AT_REMOVEDIR);
}

/* The table follows a move, which has succeeded. Out of memory: the name is lost, not wrong. */
static void follow_move(struct share_call *call, struct share_inode *inode,
			struct share_inode *from_dir, struct share_inode *to_dir, const char *from,
			const char *to)
{
	if (!inode || inode->parent != from_dir || !inode->name || strcmp(inode->name, from) != 0)
		return;
	if (share_inode_rename(&call->share->inodes, inode, to_dir, to) < 0)
		share_inode_rename(&call->share->inodes, inode, NULL, NULL);
}

int share_op_rename(struct share_call *call)
{
	const struct fuse_request *req = call->req;
	bool two = req->h.opcode == FUSE_RENAME2;
	uint32_t flags = two ? req->rename2.flags : 0;
	struct share_inodes *inodes = &call->share->inodes;
	struct share_inode *dir = call->inode, *moved, *replaced, *to;
	struct stat st;
	int from_fd, to_fd, r;

	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	to = share_inode_find(inodes, two ? req->rename2.newdir : req->rename.newdir);
	if (!to)
		return (two ? req->rename2.newdir : req->rename.newdir) == SHARE_ROOT_ID ? -EXDEV
											 : -ESTALE;
	if (to->root != dir->root)
		return -EXDEV;
	from_fd = share_inode_open(inodes, dir);
	to_fd = from_fd < 0 ? from_fd : share_inode_open(inodes, to);
	if (to_fd < 0)
		return to_fd;
	moved = pin_name(call, dir, from_fd, req->name, &st);
	to_fd = share_inode_open(inodes, to);
	replaced = to_fd < 0 ? NULL : pin_name(call, to, to_fd, req->name2, &st);
	from_fd = share_inode_open(inodes, dir);
	to_fd = from_fd < 0 ? from_fd : share_inode_open(inodes, to);
	if (to_fd < 0)
		return to_fd;
	r = syscall(SYS_renameat2, from_fd, req->name, to_fd, req->name2, flags) < 0 ? -errno : 0;
	/* Two names of one file: nothing has moved. */
	if (r == 0 && moved != replaced) {
		if (!(flags & RENAME_EXCHANGE))
			lose_name(call, replaced, to, req->name2);
		follow_move(call, moved, dir, to, req->name, req->name2);
		if (flags & RENAME_EXCHANGE)
			follow_move(call, replaced, to, dir, req->name2, req->name);
	}
	unpin(call, moved);
	unpin(call, replaced);
	return r;
}
