/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the tree may be somebody's who changes it meanwhile. Each name is looked at, opened
 * without following a link, and judged again by what was opened; what has gone by then was never there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/path.h"
#include "common/tree.h"

struct sending {
	int out;
	unsigned depth;
	tree_left_out left_out;
	void *data;
	struct tree_entry entry;
	uint8_t buf[4 + TREE_MAX_CHUNK];
	struct err *err;
};

static int cannot(struct sending *s, int r, const char *name)
{
	return err_set_errno(s->err, -r, "%.255s", name);
}

static int put(struct sending *s, size_t size)
{
	int r = io_write_full(s->out, s->buf, size);

	return r < 0 ? err_set_errno(s->err, -r, "the other end") : 0;
}

static int put_entry(struct sending *s, enum tree_kind kind, const char *name,
		     const struct stat *st)
{
	struct tree_entry *entry = &s->entry;

	entry->kind = kind;
	entry->mode = st->st_mode & 07777;
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mtime_s = st->st_mtim.tv_sec;
	entry->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	memcpy(entry->name, name, strlen(name) + 1);
	if (kind != TREE_LINK)
		entry->target[0] = '\0';
	return put(s, tree_entry_encode(entry, s->buf));
}

static int put_mark(struct sending *s, enum tree_kind kind)
{
	static const struct stat none;

	return put_entry(s, kind, "", &none);
}

static int send_data(struct sending *s, int fd, const char *name)
{
	for (;;) {
		ssize_t n = read(fd, s->buf + 4, TREE_MAX_CHUNK);
		struct bytes_out head = bytes_out_of(s->buf, 4);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot(s, -errno, name);
		bytes_put_le32(&head, (uint32_t)n);
		r = put(s, 4 + (size_t)n);
		if (r < 0 || n == 0)
			return r;
	}
}

static int send_one(struct sending *s, int dirfd, const char *name);

static int send_contents(struct sending *s, int dirfd)
{
	int again = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *found;

	if (!dir) {
		r = cannot(s, -errno, "a directory");
		close_fd(&again);
		return r;
	}
	if (++s->depth > TREE_MAX_DEPTH)
		r = err_set(s->err, ELOOP, "more than %d directories in one another",
			    TREE_MAX_DEPTH);
	while (r == 0 && (errno = 0, found = readdir(dir)))
		if (path_is_name(found->d_name))
			r = send_one(s, dirfd, found->d_name);
	if (r == 0 && errno)
		r = cannot(s, -errno, "a directory");
	s->depth--;
	closedir(dir);
	return r;
}

static int send_opened(struct sending *s, int fd, const char *name, const struct stat *st)
{
	int r = put_entry(s, S_ISDIR(st->st_mode) ? TREE_DIR : TREE_FILE, name, st);

	if (r == 0)
		r = S_ISDIR(st->st_mode) ? send_contents(s, fd) : send_data(s, fd, name);
	return r == 0 && S_ISDIR(st->st_mode) ? put_mark(s, TREE_LEAVE) : r;
}

static int send_link(struct sending *s, int dirfd, const char *name, const struct stat *st)
{
	ssize_t n = readlinkat(dirfd, name, s->entry.target, sizeof(s->entry.target) - 1);

	if (n <= 0)
		return n < 0 && errno == ENOENT ? 0 : cannot(s, n < 0 ? -errno : -EINVAL, name);
	s->entry.target[n] = '\0';
	return put_entry(s, TREE_LINK, name, st);
}

static bool is_sent(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static int send_one(struct sending *s, int dirfd, const char *name)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && s->depth ? 0 : cannot(s, -errno, name);
	if (S_ISLNK(st.st_mode))
		return send_link(s, dirfd, name, &st);
	if (is_sent(&st)) {
		/* Not to wait for a fifo's other end, should it be one by now. */
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return errno == ENOENT && s->depth ? 0 : cannot(s, -errno, name);
	}
	if (is_sent(&st))
		return send_opened(s, fd, name, &st);
	if (s->depth == 0)
		return err_set(s->err, EINVAL, "%.255s: not a file, a directory or a link", name);
	s->left_out(name, "not a file, a directory or a link", s->data);
	return 0;
}

int tree_send(int dirfd, const char *name, int out, tree_left_out left_out, void *data,
	      struct err *err)
{
	_cleanup_free_ struct sending *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, ENOMEM, "out of memory");
	s->out = out;
	s->left_out = left_out;
	s->data = data;
	s->err = err;
	r = send_one(s, dirfd, name);
	return r < 0 ? r : put_mark(s, TREE_END);
}
