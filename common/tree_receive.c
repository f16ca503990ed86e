/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the sender is not to be trusted, and neither is who else may change the tree that
 * is made. A stack of descriptors says where we are; every name is one component beneath its top, and no
 * link is ever followed. A directory's attributes come when it is left, as what is made in it would change
 * them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/tree.h"

struct level {
	int fd;
	bool made; /* its attributes are ours to set */
	struct tree_entry entry;
};

struct receiving {
	int in;
	const struct tree_receiver *to;
	struct level levels[TREE_MAX_DEPTH + 1]; /* [0]: the caller's directory */
	unsigned depth;
	struct tree_entry entry;
	uint8_t buf[TREE_MAX_CHUNK];
	struct err *err;
};
_Static_assert(TREE_MAX_CHUNK >= TREE_MAX_BYTES, "an entry fits the buffer");

static int cannot(struct receiving *rec, int r)
{
	if (r == -EEXIST)
		return err_set(rec->err, EEXIST, "%.255s: a device, a pipe or a socket is there",
			       rec->entry.name);
	return err_set_errno(rec->err, -r, "%.255s", rec->entry.name);
}

static int get(struct receiving *rec, void *buf, size_t size)
{
	int r = io_read_full(rec->in, buf, size);

	if (r == -ENODATA)
		return err_set(rec->err, EPIPE, "the other end has stopped half-way");
	return r < 0 ? err_set_errno(rec->err, -r, "the other end") : 0;
}

static int get_entry(struct receiving *rec)
{
	ssize_t size;
	int r = get(rec, rec->buf, TREE_HEADER_BYTES);

	if (r < 0)
		return r;
	size = tree_entry_size(rec->buf);
	if (size > 0)
		r = get(rec, rec->buf + TREE_HEADER_BYTES, (size_t)size - TREE_HEADER_BYTES);
	if (r < 0)
		return r;
	if (size < 0 || tree_entry_decode(rec->buf, (size_t)size, &rec->entry) < 0)
		return err_set(rec->err, EPROTO, "the other end sends what is no tree of files");
	return 0;
}

/* Of what fd is, or, for a link, of name in the directory fd. */
static int set_attributes(const struct receiving *rec, int fd, const struct tree_entry *entry)
{
	bool is_link = entry->kind == TREE_LINK;
	const char *name = is_link ? entry->name : "";
	int flags = is_link ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
	const struct tree_receiver *to = rec->to;
	int64_t uid = to->keep_owners ? entry->uid : to->uid;
	int64_t gid = to->keep_owners ? entry->gid : to->gid;
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT},
					 {.tv_sec = entry->mtime_s, .tv_nsec = entry->mtime_ns}};

	if ((uid >= 0 || gid >= 0) && fchownat(fd, name, (uid_t)uid, (gid_t)gid, flags) < 0)
		return -errno;
	if (is_link)
		return utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (fchmod(fd, entry->mode & to->mask) < 0 || futimens(fd, times) < 0)
		return -errno;
	return 0;
}

/*
 * A knob of the kernel's, which a container may have mounted there for us to turn: of some it is judged by the
 * writer's user id alone.
 */
static bool is_kernels_own(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	       fs.f_type == CGROUP2_SUPER_MAGIC;
}

/*
 * Makes room for a file or a link: another one goes. Whoever has a device, a pipe or a socket there wants it
 * written to, if anything, and not replaced.
 */
static int remove_old(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EEXIST;
	return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* A fresh file. One that cannot be removed, as something is mounted there, is written to. */
static int create_file(int dirfd, const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd;
	int r = remove_old(dirfd, name);
	struct stat st;

	if (r < 0 && r != -EBUSY)
		return r;
	if (r < 0)
		flags = O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd = openat(dirfd, name, flags, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && !is_kernels_own(fd))
		return fd;
	close(fd);
	return -EINVAL;
}

static int receive_data(struct receiving *rec, int fd)
{
	for (;;) {
		uint8_t head[4];
		struct bytes length = bytes_of(head, sizeof(head));
		uint32_t n;
		int r = get(rec, head, sizeof(head));

		if (r < 0)
			return r;
		n = bytes_le32(&length);
		if (n == 0)
			return 0;
		if (n > TREE_MAX_CHUNK)
			return err_set(rec->err, EPROTO, "the other end sends too long a chunk");
		r = get(rec, rec->buf, n);
		if (r < 0)
			return r;
		r = io_write_full(fd, rec->buf, n);
		if (r < 0)
			return cannot(rec, r);
	}
}

static int receive_file(struct receiving *rec)
{
	_cleanup_close_ int fd = create_file(rec->levels[rec->depth].fd, rec->entry.name);
	int r;

	if (fd < 0)
		return cannot(rec, fd);
	r = receive_data(rec, fd);
	if (r < 0)
		return r;
	r = set_attributes(rec, fd, &rec->entry);
	return r < 0 ? cannot(rec, r) : 0;
}

static int receive_link(struct receiving *rec)
{
	int dirfd = rec->levels[rec->depth].fd, r = remove_old(dirfd, rec->entry.name);

	if (r == 0 && symlinkat(rec->entry.target, dirfd, rec->entry.name) < 0)
		r = -errno;
	if (r == 0)
		r = set_attributes(rec, dirfd, &rec->entry);
	return r < 0 ? cannot(rec, r) : 0;
}

static int enter_dir(struct receiving *rec)
{
	int dirfd = rec->levels[rec->depth].fd, fd;
	const char *name = rec->entry.name;
	bool made = mkdirat(dirfd, name, 0700) == 0;

	if (rec->depth == TREE_MAX_DEPTH)
		return err_set(rec->err, ELOOP, "more than %d directories in one another",
			       TREE_MAX_DEPTH);
	/* Of "." it is EEXIST, too. */
	if (!made && errno != EEXIST)
		return cannot(rec, -errno);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cannot(rec, -errno);
	rec->levels[++rec->depth] = (struct level){.fd = fd, .made = made, .entry = rec->entry};
	return 0;
}

static int leave_dir(struct receiving *rec)
{
	struct level *level = &rec->levels[rec->depth];
	int r;

	if (rec->depth == 0)
		return err_set(rec->err, EPROTO, "the other end leaves what it was not in");
	rec->depth--;
	r = level->made ? set_attributes(rec, level->fd, &level->entry) : 0;
	close_fd(&level->fd);
	rec->entry = level->entry;
	return r < 0 ? cannot(rec, r) : 0;
}

static int receive_entry(struct receiving *rec)
{
	bool dot = strcmp(rec->entry.name, ".") == 0;

	/* Only the first entry may be the directory itself, and only of one that is there. */
	if (dot && (rec->depth || rec->entry.kind != TREE_DIR))
		return err_set(rec->err, rec->depth ? EPROTO : ENOTDIR, "not a directory");
	switch (rec->entry.kind) {
	case TREE_FILE:
		return receive_file(rec);
	case TREE_LINK:
		return receive_link(rec);
	case TREE_DIR:
		return enter_dir(rec);
	default:
		return leave_dir(rec);
	}
}

static int receive_all(struct receiving *rec)
{
	int r = get_entry(rec);

	if (r == 0 && strlen(rec->to->name) >= sizeof(rec->entry.name))
		r = err_set(rec->err, ENAMETOOLONG, "%.32s...", rec->to->name);
	if (r == 0)
		memcpy(rec->entry.name, rec->to->name, strlen(rec->to->name) + 1);
	while (r == 0) {
		r = receive_entry(rec);
		if (r == 0)
			r = get_entry(rec);
		if (r == 0 && rec->entry.kind == TREE_END)
			break;
		/* There is one tree in a stream. */
		if (r == 0 && rec->depth == 0)
			r = err_set(rec->err, EPROTO, "the other end sends more than one tree");
	}
	if (r == 0 && rec->depth)
		r = err_set(rec->err, EPROTO, "the other end ends in a directory");
	return r;
}

int tree_receive(int in, const struct tree_receiver *receiver, struct err *err)
{
	_cleanup_free_ struct receiving *rec = calloc(1, sizeof(*rec));
	int r;

	if (!rec)
		return err_set(err, ENOMEM, "out of memory");
	rec->in = in;
	rec->to = receiver;
	rec->err = err;
	rec->levels[0].fd = receiver->dirfd;
	r = receive_all(rec);
	for (; rec->depth; rec->depth--)
		close_fd(&rec->levels[rec->depth].fd);
	return r;
}
