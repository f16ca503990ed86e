/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading directories. An open directory is a descriptor and nothing more: where the guest is in it
 * is what each request says, in the file system's own terms, so a guest that reads on for ever makes
 * nothing grow. The directory of the roots is read in the order of their coming.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/path.h"
#include "vmm/share_internal.h"

#define RECORDS_MIN 280u /* bytes: room for the longest name */
#define RECORDS_MAX 32768u

struct record { /* of getdents64(2) */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
} __attribute__((packed));

/* --- handles -------------------------------------------------------------------------------- */

static struct share_dir *find(const struct share_call *call, uint64_t fh)
{
	uint32_t i = (uint32_t)fh;
	struct share_dir *dir;

	if (i >= call->share->max_dirs)
		return NULL;
	dir = &call->share->dirs[i];
	return dir->inode && dir->inode == call->req->h.nodeid && dir->generation == fh >> 32
		       ? dir
		       : NULL;
}

static void close_dir(struct share_dir *dir)
{
	close_fd(&dir->fd);
	dir->inode = 0;
	dir->root = NULL;
	dir->generation++;
}

void share_close_dirs(struct share *share, const struct share_root *root)
{
	for (unsigned i = 0; i < share->max_dirs; i++)
		if (share->dirs[i].inode && (!root || share->dirs[i].root == root))
			close_dir(&share->dirs[i]);
}

int share_op_opendir(struct share_call *call)
{
	struct share *share = call->share;
	struct fuse_open_out out = {0};
	_cleanup_close_ int fd = -1;
	unsigned i = 0;

	while (i < share->max_dirs && share->dirs[i].inode)
		i++;
	if (i == share->max_dirs)
		return -ENFILE;
	if (call->inode) {
		int path_fd = share_inode_open(&share->inodes, call->inode);

		if (path_fd < 0)
			return path_fd;
		fd = share_reopen(path_fd, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return fd;
	}
	out.fh = (uint64_t)share->dirs[i].generation << 32 | i;
	share->dirs[i].fd = TAKE_FD(fd);
	share->dirs[i].inode = call->req->h.nodeid;
	share->dirs[i].root = call->inode ? call->inode->root : NULL;
	share->dirs[i].at = 0;
	return share_reply(call, &out, sizeof(out));
}

int share_op_releasedir(struct share_call *call)
{
	struct share_dir *dir = find(call, call->req->release.fh);

	if (!dir)
		return -EBADF;
	close_dir(dir);
	return 0;
}

int share_op_fsyncdir(struct share_call *call)
{
	struct share_dir *dir = find(call, call->req->fsync.fh);

	if (!dir)
		return -EBADF;
	if (dir->fd < 0)
		return 0;
	return (call->req->fsync.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(dir->fd)
								    : fsync(dir->fd)) < 0
		       ? -errno
		       : 0;
}

/* --- records -------------------------------------------------------------------------------- */

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static size_t limit_of(const struct share_call *call)
{
	size_t size = call->req->read.size;

	return size < call->room ? size : call->room;
}

/* Adds a record, with its entry for READDIRPLUS; false: there is no room for it. */
static bool add(struct share_call *call, const struct fuse_entry_out *entry,
		const struct fuse_dirent *head, const char *name)
{
	size_t plain = sizeof(*head) + head->namelen, padded;
	uint8_t *to = call->body + call->n;

	padded = FUSE_REC_ALIGN(plain) + (entry ? sizeof(*entry) : 0);
	if (padded > limit_of(call) - call->n)
		return false;
	memset(to, 0, padded);
	if (entry) {
		memcpy(to, entry, sizeof(*entry));
		to += sizeof(*entry);
	}
	memcpy(to, head, sizeof(*head));
	memcpy(to + sizeof(*head), name, head->namelen);
	call->n += padded;
	return true;
}

static size_t size_of(size_t namelen, bool plus)
{
	return FUSE_REC_ALIGN(sizeof(struct fuse_dirent) + namelen) +
	       (plus ? sizeof(struct fuse_entry_out) : 0);
}

/* An entry with its lookup, or, where that cannot be had, one without, which is allowed. */
static void look_up(struct share_call *call, const struct share_dir *dir, const char *name,
		    struct fuse_entry_out *ret)
{
	struct stat st;

	*ret = (struct fuse_entry_out){0};
	if (is_dot(name) || share_stat_name(dir->fd, name, &st) < 0 ||
	    share_fill_entry(call->share, call->inode->root, call->inode, name, &st, ret) < 0)
		*ret = (struct fuse_entry_out){0};
}

/* 1: go on, 0: no room. */
static int add_record(struct share_call *call, const struct share_dir *dir,
		      const struct record *record, bool plus)
{
	struct fuse_entry_out entry;
	struct fuse_dirent head = {
		.ino = share_guest_ino(call->share, call->inode->dev, record->ino),
		.off = (uint64_t)record->off,
		.namelen = (uint32_t)strlen(record->name),
		.type = record->type,
	};

	/* First the room, then the lookup, which counts. */
	if (size_of(head.namelen, plus) > limit_of(call) - call->n)
		return 0;
	if (plus)
		look_up(call, dir, record->name, &entry);
	return add(call, plus ? &entry : NULL, &head, record->name);
}

/*
 * As much as fits into the answer whatever the names are: an entry grows by a third at most, by 20/3
 * with its attributes. So what was read is told, and the descriptor need not be put back: on tmpfs a
 * position is a count of entries, and after removals it would lie behind entries never seen.
 */
static size_t records_size(const struct share_call *call, bool plus)
{
	size_t room = limit_of(call) - call->n, size = plus ? room / 7 : room / 4 * 3;

	return size > RECORDS_MAX ? RECORDS_MAX : size;
}

static int read_dir(struct share_call *call, struct share_dir *dir, bool plus)
{
	static __thread uint8_t buf[RECORDS_MAX] __attribute__((aligned(8)));
	uint64_t at = call->req->read.offset;
	bool first = true;

	for (;;) {
		size_t size = records_size(call, plus);
		long n;

		if (size < RECORDS_MIN && !first)
			return 0;
		if (dir->at != at && lseek(dir->fd, (off_t)at, SEEK_SET) < 0)
			return -errno;
		dir->at = at; /* also where nothing follows */
		n = syscall(SYS_getdents64, dir->fd, buf, size < RECORDS_MIN ? RECORDS_MIN : size);
		if (n <= 0)
			return n < 0 && first ? -errno : 0;
		for (long i = 0; i < n;) {
			const struct record *record = (const struct record *)(buf + i);

			if (!add_record(call, dir, record, plus)) {
				/* Where the descriptor stands is not where the guest is. */
				dir->at = UINT64_MAX;
				return first ? -EINVAL : 0;
			}
			first = false;
			at = dir->at = (uint64_t)record->off;
			i += record->len;
		}
	}
}

/* "." and ".." at 1 and 2, then each root at its number. */
static int read_roots(struct share_call *call)
{
	static const char *const dots[] = {".", ".."};
	uint64_t at = call->req->read.offset;
	struct list *it, *tmp;

	for (uint64_t i = at; i < ARRAY_SIZE(dots); i++) {
		struct fuse_dirent head = {
			.ino = SHARE_ROOT_ID,
			.off = i + 1,
			.namelen = (uint32_t)i + 1,
			.type = DT_DIR,
		};

		if (!add(call, NULL, &head, dots[i]))
			return 0;
	}
	list_for_each_safe (it, tmp, &call->share->names) {
		const struct share_name *name = list_entry(it, struct share_name, link);
		const struct share_inode *inode = name->root->inode;
		struct fuse_dirent head = {
			.ino = share_guest_ino(call->share, inode->dev, inode->ino),
			.off = name->number,
			.namelen = (uint32_t)strlen(name->name),
			.type = (uint32_t)inode->type >> 12,
		};

		if (name->number > at && !add(call, NULL, &head, name->name))
			return 0;
	}
	return 0;
}

int share_op_readdir(struct share_call *call)
{
	struct share_dir *dir = find(call, call->req->read.fh);

	if (!dir)
		return -EBADF;
	return dir->fd < 0 ? read_roots(call) : read_dir(call, dir, false);
}

int share_op_readdirplus(struct share_call *call)
{
	struct share_dir *dir = find(call, call->req->read.fh);

	if (!dir)
		return -EBADF;
	return dir->fd < 0 ? -EINVAL : read_dir(call, dir, true);
}
