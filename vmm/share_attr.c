/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes. As root, owners are what they are. An ordinary user's sbx-share can make and change
 * that user's files only, so the guest sees one owner: what is the user's is root's, the rest is
 * nobody's, and a chown to anybody but root is EPERM.
 *
 * The roots may lie on several file systems, whose inode numbers would meet in the guest's one. Those
 * of the second and later ones get the file system's place (share_inodes_place) into their upper bits.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/fs_data.h"
#include "vmm/share_internal.h"

#define DEV_SHIFT 48

uint64_t share_guest_ino(struct share *share, dev_t dev, ino_t ino)
{
	return ino ^ (uint64_t)share_inodes_place(&share->inodes, dev) << DEV_SHIFT;
}

static uint32_t shown_uid(const struct share *share, uid_t uid)
{
	return share->privileged ? uid : uid == share->uid ? 0 : SHARE_NOBODY;
}

static uint32_t shown_gid(const struct share *share, gid_t gid)
{
	return share->privileged ? gid : gid == share->gid ? 0 : SHARE_NOBODY;
}

/* As the kernel's new_encode_dev(). */
static uint32_t encode_dev(dev_t dev)
{
	uint32_t ma = major(dev), mi = minor(dev);

	return (mi & 0xff) | (ma << 8) | ((mi & ~0xffu) << 12);
}

void share_fill_attr(struct share *share, const struct stat *st, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
		.ino = share_guest_ino(share, st->st_dev, st->st_ino),
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = shown_uid(share, st->st_uid),
		.gid = shown_gid(share, st->st_gid),
		.rdev = encode_dev(st->st_rdev),
		.blksize = (uint32_t)st->st_blksize,
	};
}

int share_fill_entry(struct share *share, struct share_root *root, struct share_inode *parent,
		     const char *name, const struct stat *st, struct fuse_entry_out *ret)
{
	struct share_inode *inode;
	int r = share_inode_get(&share->inodes, root, parent, name, st, &inode);

	if (r < 0)
		return r;
	*ret = (struct fuse_entry_out){
		.nodeid = share_inode_id(inode),
		.entry_valid = root->cache_ns / 1000000000u,
		.attr_valid = root->cache_ns / 1000000000u,
		.entry_valid_nsec = (uint32_t)(root->cache_ns % 1000000000u),
		.attr_valid_nsec = (uint32_t)(root->cache_ns % 1000000000u),
	};
	share_fill_attr(share, st, &ret->attr);
	return 0;
}

bool share_fd_is(int fd, const struct share_inode *inode)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == inode->dev &&
	       st.st_ino == inode->ino && (st.st_mode & S_IFMT) == inode->type;
}

/* The guest's open file where it sent one, or else the inode's own descriptor. */
static int fd_of(struct share_call *call)
{
	if (share_fd_is(call->fd_in, call->inode))
		return call->fd_in;
	return share_inode_open(&call->share->inodes, call->inode);
}

static void fill_roots_dir(struct share *share, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){
		.ino = SHARE_ROOT_ID,
		.mode = S_IFDIR | 0555,
		.nlink = 2 + share->n_names,
		.blksize = 4096,
	};
}

static int reply_attr(struct share_call *call, int fd)
{
	struct fuse_attr_out out = {0};
	struct stat st;

	if (!call->inode) {
		fill_roots_dir(call->share, &out.attr);
		return share_reply(call, &out, sizeof(out));
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	share_inode_seen(&call->share->inodes, call->inode, &st);
	out.attr_valid = call->inode->root->cache_ns / 1000000000u;
	out.attr_valid_nsec = (uint32_t)(call->inode->root->cache_ns % 1000000000u);
	share_fill_attr(call->share, &st, &out.attr);
	return share_reply(call, &out, sizeof(out));
}

int share_op_getattr(struct share_call *call)
{
	int fd = call->inode ? fd_of(call) : -1;

	return call->inode && fd < 0 ? fd : reply_attr(call, fd);
}

static struct fuse_sx_time sx_time(const struct statx_timestamp *t)
{
	return (struct fuse_sx_time){.tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec};
}

int share_op_statx(struct share_call *call)
{
	struct share *share = call->share;
	struct fuse_statx_out out = {0};
	struct statx stx;
	int fd;

	if (!call->inode)
		return -ENOSYS;
	fd = fd_of(call);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &stx) <
	    0)
		return -errno;
	out.attr_valid = call->inode->root->cache_ns / 1000000000u;
	out.attr_valid_nsec = (uint32_t)(call->inode->root->cache_ns % 1000000000u);
	out.stat = (struct fuse_statx){
		.mask = stx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME),
		.blksize = stx.stx_blksize,
		.nlink = stx.stx_nlink,
		.uid = shown_uid(share, stx.stx_uid),
		.gid = shown_gid(share, stx.stx_gid),
		.mode = stx.stx_mode,
		.ino = share_guest_ino(share, makedev(stx.stx_dev_major, stx.stx_dev_minor),
				       stx.stx_ino),
		.size = stx.stx_size,
		.blocks = stx.stx_blocks,
		.atime = sx_time(&stx.stx_atime),
		.btime = sx_time(&stx.stx_btime),
		.ctime = sx_time(&stx.stx_ctime),
		.mtime = sx_time(&stx.stx_mtime),
		.rdev_major = stx.stx_rdev_major,
		.rdev_minor = stx.stx_rdev_minor,
	};
	return share_reply(call, &out, sizeof(out));
}

/* --- changes -------------------------------------------------------------------------------- */

static int change_owner(struct share_call *call, int fd)
{
	const struct fuse_setattr_in *in = &call->req->setattr;
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	if (!call->share->privileged) {
		if ((uid != (uid_t)-1 && uid) || (gid != (gid_t)-1 && gid))
			return -EPERM;
		uid = uid == 0 ? call->share->uid : uid;
		gid = gid == 0 ? call->share->gid : gid;
	}
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int change_size(struct share_call *call, int fd)
{
	const struct fuse_setattr_in *in = &call->req->setattr;
	bool own = fd == call->fd_in && (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	_cleanup_close_ int opened = -1;
	int r;

	if (in->size > INT64_MAX)
		return -EFBIG;
	if (!own) {
		opened = share_reopen(fd, O_WRONLY);
		if (opened < 0)
			return opened;
	}
	fs_data_prepare(fd, in->valid & FATTR_KILL_SUIDGID);
	r = ftruncate(own ? fd : opened, (off_t)in->size) < 0 ? -errno : 0;
	fs_data_restore();
	return r;
}

static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now, uint64_t sec,
			       uint32_t nsec)
{
	if (!(valid & set))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return (struct timespec){.tv_sec = (time_t)sec, .tv_nsec = nsec};
}

static int change_times(struct share_call *call, int fd)
{
	const struct fuse_setattr_in *in = &call->req->setattr;
	const struct timespec times[] = {
		time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};
	char path[PATH_FD_MAX];

	if (call->inode->type == S_IFLNK)
		return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
	return utimensat(AT_FDCWD, path_of_fd(fd, path), times, 0) < 0 ? -errno : 0;
}

int share_op_setattr(struct share_call *call)
{
	uint32_t valid = call->req->setattr.valid;
	char path[PATH_FD_MAX];
	int fd = fd_of(call), r = 0;

	if (fd < 0)
		return fd;
	if (valid & (FATTR_UID | FATTR_GID))
		r = change_owner(call, fd);
	/* After the owner, whose change takes the setuid bits away. */
	if (r == 0 && valid & FATTR_MODE) {
		if (call->inode->type == S_IFLNK)
			return -EOPNOTSUPP;
		r = chmod(path_of_fd(fd, path), call->req->setattr.mode & 07777) < 0 ? -errno : 0;
	}
	if (r == 0 && valid & FATTR_SIZE)
		r = change_size(call, fd);
	if (r == 0 && valid & (FATTR_ATIME | FATTR_MTIME))
		r = change_times(call, fd);
	return r < 0 ? r : reply_attr(call, fd);
}

/* --- the file system ------------------------------------------------------------------------ */

int share_op_statfs(struct share_call *call)
{
	struct fuse_statfs_out out = {.st = {.bsize = 4096, .frsize = 4096, .namelen = NAME_MAX}};
	struct statfs st;
	int fd;

	if (!call->inode)
		return share_reply(call, &out, sizeof(out));
	fd = share_inode_open(&call->share->inodes, call->inode);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	out.st.blocks = st.f_blocks;
	out.st.bfree = st.f_bfree;
	out.st.bavail = st.f_bavail;
	out.st.files = st.f_files;
	out.st.ffree = st.f_ffree;
	out.st.bsize = (uint32_t)st.f_bsize;
	out.st.frsize = (uint32_t)st.f_frsize;
	out.st.namelen = (uint32_t)st.f_namelen;
	return share_reply(call, &out, sizeof(out));
}

/* The file systems beneath folders that others are mounted in, each by something of it that can be opened. */
static int sync_submounts(struct share_inodes *inodes, bool synced[SHARE_MAX_DEVS + 1])
{
	struct share_inode *inode = NULL;
	int result = 0;

	while ((inode = share_inodes_next(inodes, inode))) {
		_cleanup_close_ int fd = -1;

		if (inode->root->readonly || !inode->root->submounts || synced[inode->place] ||
		    (inode->type != S_IFDIR && inode->type != S_IFREG))
			continue;
		fd = share_inode_open(inodes, inode);
		fd = fd < 0 ? fd : share_reopen(fd, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			continue;
		result = syncfs(fd) < 0 ? -errno : result;
		synced[inode->place] = true;
	}
	return result;
}

/* The guest's sync(2): of each file system that it could have written to, once. */
int share_op_syncfs(struct share_call *call)
{
	struct share_inodes *inodes = &call->share->inodes;
	bool synced[SHARE_MAX_DEVS + 1] = {false}, submounts = false;
	struct list *it, *tmp;
	int r, result = 0;

	list_for_each_safe (it, tmp, &call->share->names) {
		const struct share_root *root = list_entry(it, struct share_name, link)->root;
		_cleanup_close_ int fd = -1;

		if (root->readonly)
			continue;
		submounts |= root->submounts;
		/* What has no place of its own may be another one. */
		if (synced[root->inode->place] && root->inode->place < SHARE_MAX_DEVS)
			continue;
		synced[root->inode->place] = true;
		fd = share_reopen(root->inode->fd, O_RDONLY);
		if (fd < 0 || syncfs(fd) < 0)
			result = fd < 0 ? fd : -errno;
	}
	r = submounts ? sync_submounts(inodes, synced) : 0;
	return r < 0 ? r : result;
}
