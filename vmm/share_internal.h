/* SPDX-License-Identifier: Apache-2.0 */
/* What share.c (the table of requests) and the files with the operations (share_*.c) share. */
#ifndef VMM_SHARE_INTERNAL_H
#define VMM_SHARE_INTERNAL_H

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/list.h"
#include "common/path.h"
#include "vmm/fuse_proto.h"
#include "vmm/share.h"
#include "vmm/share_inode.h"

#define SHARE_MAX_NAMES 1024 /* of roots */
#define SHARE_MAX_DIRS  1024 /* directories that the guest has open, a descriptor each */
#define SHARE_NOBODY    65534u

struct share_root {
	unsigned refs, names;
	bool readonly, devices, submounts;
	uint64_t cache_ns;
	struct share_inode *inode; /* NULL: removed */
};

/* An entry of the directory of the roots. */
struct share_name {
	struct list link; /* in share->names */
	struct share_root *root;
	uint64_t number; /* rises; its place in the directory */
	char name[NAME_MAX + 1];
};

struct share_root *share_root_ref(struct share_root *root);
void share_root_unref(struct share_root *root);
struct share_name *share_name_find(const struct share *share, const char *name);

struct share_dir {
	int fd;                  /* -1: the directory of the roots, or free */
	uint64_t inode;          /* 0: free */
	struct share_root *root; /* NULL: of the directory of the roots */
	uint32_t generation;
	uint64_t at; /* where fd stands */
};

struct share {
	struct share_inodes inodes;
	struct list names;
	unsigned n_names;
	uint64_t name_count;
	struct share_dir dirs[SHARE_MAX_DIRS];
	unsigned max_dirs;
	bool privileged; /* root: owners are the files' own. Otherwise: see share_attr.c */
	uid_t uid;
	gid_t gid;
};

/* A request under way. The answer's body is written to body, at most room bytes, n of it. */
struct share_call {
	struct share *share;
	const struct fuse_request *req;
	struct share_inode *inode; /* of req->h.nodeid; NULL: the directory of the roots */
	int fd_in;
	uint8_t *body;
	size_t room, n;
	int fd_out; /* -1, or a file opened for the guest */
};

/* 0 or -errno, which is the answer's. */
typedef int (*share_op)(struct share_call *call);

int share_reply(struct share_call *call, const void *data, size_t size);

/* --- share_attr.c --------------------------------------------------------------------------- */

void share_fill_attr(struct share *share, const struct stat *st, struct fuse_attr *ret);
/* For a name that was found: its inode (a lookup is counted) and what the guest is told of it. */
int share_fill_entry(struct share *share, struct share_root *root, struct share_inode *parent,
		     const char *name, const struct stat *st, struct fuse_entry_out *ret);
/* What a number of a file system's becomes in the guest, where all roots are one file system. */
uint64_t share_guest_ino(struct share *share, dev_t dev, ino_t ino);
/* Whether fd refers to inode. */
bool share_fd_is(int fd, const struct share_inode *inode);

int share_op_getattr(struct share_call *call);
int share_op_setattr(struct share_call *call);
int share_op_statx(struct share_call *call);
int share_op_statfs(struct share_call *call);
int share_op_syncfs(struct share_call *call);

/* --- share_name.c --------------------------------------------------------------------------- */

int share_op_lookup(struct share_call *call);
int share_op_readlink(struct share_call *call);
int share_op_symlink(struct share_call *call);
int share_op_mknod(struct share_call *call);
int share_op_mkdir(struct share_call *call);
int share_op_unlink(struct share_call *call);
int share_op_rmdir(struct share_call *call);
int share_op_rename(struct share_call *call);
int share_op_link(struct share_call *call);

/* fstatat(2) of a name as it is; and the entry for what is there now. */
int share_stat_name(int dir_fd, const char *name, struct stat *st);
int share_reply_entry(struct share_call *call, int dir_fd, const char *name);

/* --- share_file.c --------------------------------------------------------------------------- */

int share_op_open(struct share_call *call);
int share_op_create(struct share_call *call);
int share_op_tmpfile(struct share_call *call);

/* Opens what an O_PATH descriptor refers to, a regular file or a directory. Returns the fd. */
int share_reopen(int path_fd, int flags);

/* --- share_dir.c ---------------------------------------------------------------------------- */

int share_op_opendir(struct share_call *call);
int share_op_readdir(struct share_call *call);
int share_op_readdirplus(struct share_call *call);
int share_op_releasedir(struct share_call *call);
int share_op_fsyncdir(struct share_call *call);
/* Closes those of a root; NULL: all. */
void share_close_dirs(struct share *share, const struct share_root *root);

/* --- share_xattr.c -------------------------------------------------------------------------- */

int share_op_setxattr(struct share_call *call);
int share_op_getxattr(struct share_call *call);
int share_op_listxattr(struct share_call *call);
int share_op_removexattr(struct share_call *call);

/* --- share_creds.c -------------------------------------------------------------------------- */

/* What is created belongs to uid and gid until share_creds_own(). Nothing where not privileged. */
int share_creds_assume(const struct share *share, uint32_t uid, uint32_t gid);
void share_creds_own(void);

#endif
