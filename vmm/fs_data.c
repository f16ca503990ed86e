/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fs_data.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/iov.h"

#define COPY_MAX (64u << 20) /* keeps a reset short; the guest goes on where we stopped */

#define FALLOCATE_MODES (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)

/* Whether it is so now. */
static bool set_fsetid(bool on)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint32_t bit = CAP_TO_MASK(CAP_FSETID);

	/* Asked each time: a change of ids changes the set as well. */
	if (syscall(SYS_capget, &header, data) < 0)
		return !on;
	if (!(data[0].effective & bit) == !on)
		return true;
	if (!(data[0].permitted & bit))
		return false;
	data[0].effective ^= bit;
	return syscall(SYS_capset, &header, data) == 0;
}

mode_t fs_data_prepare(int fd, bool kill)
{
	struct stat st;
	bool clears, keep;

	if (fstat(fd, &st) < 0 || !(st.st_mode & (S_ISUID | S_ISGID)))
		return 0;
	/* Without group execution the setgid bit is another one, which a group's member may keep. */
	clears = st.st_mode & S_ISUID || st.st_mode & S_IXGRP;
	keep = !kill || !clears;
	return !set_fsetid(keep) && keep ? st.st_mode & 07777 : 0;
}

void fs_data_restore(void)
{
	set_fsetid(true);
}

static int64_t do_read(const struct fs_transfer *t)
{
	struct iovec *iov = t->iov;
	unsigned n_iov = t->n_iov;
	off_t offset = (off_t)t->req->read.offset;
	int64_t done = 0;

	for (;;) {
		ssize_t n;

		iov_skip(&iov, &n_iov, 0); /* segments without bytes */
		if (!n_iov)
			return done;
		n = preadv(t->fd, iov, (int)n_iov, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		/* A guest takes fewer bytes than it asked for as the end of the file, and would cut it there. */
		if (n < 0)
			return -errno;
		if (!n)
			return done;
		iov_skip(&iov, &n_iov, (size_t)n);
		done += n;
	}
}

/* mode, of a file that has lost nothing but bits which it should have kept; else 0: somebody has changed it. */
static mode_t to_restore(int fd, mode_t mode)
{
	struct stat st;
	mode_t lost;

	if (!mode || fstat(fd, &st) < 0)
		return 0;
	lost = mode ^ (st.st_mode & 07777);
	return lost && !(lost & ~(mode & (S_ISUID | S_ISGID))) ? mode : 0;
}

/*
 * Descriptors are never open for appending: what the guest's kernel writes back from its cache has
 * its place. A write(2) of a file that is says so, request by request.
 */
static int64_t do_write(struct fs_transfer *t)
{
	const struct fuse_write_in *in = &t->req->write;
	bool append = (in->flags & O_APPEND) && !(in->write_flags & FUSE_WRITE_CACHE);
	struct iovec *iov = t->iov;
	unsigned n_iov = t->n_iov;
	int64_t done = 0;

	t->restore = fs_data_prepare(t->fd, in->write_flags & FUSE_WRITE_KILL_SUIDGID);
	for (;;) {
		ssize_t n;

		iov_skip(&iov, &n_iov, 0);
		if (!n_iov)
			return done;
		n = pwritev2(t->fd, iov, (int)n_iov, (off_t)in->offset + done,
			     append ? RWF_APPEND : 0);
		if (n < 0 && errno == EINTR)
			continue;
		/* Of what it writes back from its cache a guest sees an error only, not how much was written. */
		if (n <= 0)
			return done && !(in->write_flags & FUSE_WRITE_CACHE) ? done
			       : n < 0                                       ? -errno
									     : -EIO;
		iov_skip(&iov, &n_iov, (size_t)n);
		done += n;
	}
}

static int64_t do_fallocate(const struct fs_transfer *t)
{
	const struct fuse_fallocate_in *in = &t->req->fallocate;

	if (in->mode & ~(uint32_t)FALLOCATE_MODES)
		return -EOPNOTSUPP;
	fs_data_prepare(t->fd, true);
	return fallocate(t->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0 ? -errno
											 : 0;
}

static int64_t do_lseek(const struct fs_transfer *t)
{
	const struct fuse_lseek_in *in = &t->req->lseek;
	off_t at;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	at = lseek(t->fd, (off_t)in->offset, (int)in->whence);
	return at < 0 ? -errno : at;
}

static int64_t do_copy(const struct fs_transfer *t)
{
	const struct fuse_copy_file_range_in *in = &t->req->copy;
	loff_t from = (loff_t)in->off_in, to = (loff_t)in->off_out;
	size_t len = in->len < COPY_MAX ? in->len : COPY_MAX;
	ssize_t n;

	if (in->flags)
		return -EINVAL;
	fs_data_prepare(t->fd_out, true);
	n = copy_file_range(t->fd, &from, t->fd_out, &to, len, 0);
	return n < 0 ? -errno : n;
}

static int64_t do_fsync(const struct fs_transfer *t)
{
	bool data_only = t->req->fsync.fsync_flags & FUSE_FSYNC_FDATASYNC;

	return (data_only ? fdatasync(t->fd) : fsync(t->fd)) < 0 ? -errno : 0;
}

bool fs_data_serves(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FSYNC:
	case FUSE_FALLOCATE:
	case FUSE_LSEEK:
	case FUSE_COPY_FILE_RANGE:
		return true;
	default:
		return false;
	}
}

int64_t fs_data_serve(struct fs_transfer *transfer)
{
	int64_t r;

	switch (transfer->req->h.opcode) {
	case FUSE_READ:
		return do_read(transfer);
	case FUSE_WRITE:
		r = do_write(transfer);
		transfer->restore = to_restore(transfer->fd, transfer->restore);
		return r;
	case FUSE_FSYNC:
		return do_fsync(transfer);
	case FUSE_FALLOCATE:
		return do_fallocate(transfer);
	case FUSE_LSEEK:
		return do_lseek(transfer);
	case FUSE_COPY_FILE_RANGE:
		return do_copy(transfer);
	default:
		return -ENOSYS;
	}
}
