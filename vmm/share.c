/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the name half of the file server.
 *
 *	nodeid 1, made up         "a"  "b" "c"     read-only, its entries are names of the roots
 *	                           |    |   |
 *	roots                     dir  file-+      O_PATH descriptors from the owner
 *	                           |
 *	                        inodes (share_inode.h), found beneath it by name
 *
 * What the owner adds twice for the same use is one root of two names. So two containers of a pod that
 * share a folder have its files' pages, sizes and locks in common, as on one kernel they would.
 *
 * Every request is decoded again here (fuse_proto.h): who sends it, sbx-vmm, has the guest's memory
 * before it and may be the guest's by now. What it can ask for is bounded: a number of inodes, of
 * open directories, of roots; no request makes anything grow that FORGET, RELEASEDIR or the next INIT
 * does not free, and a full table is an error.
 *
 * Who may do what inside the guest, its own kernel decides (the mount has default_permissions). Here
 * is decided what nobody in the guest may do: leave a root, change a read-only one, make device nodes,
 * open anything but regular files and directories. Those hold whatever its kernel believes.
 *
 * Open files are not known here: the descriptor goes out with the answer. An open directory is, since
 * reading it yields names.
 *
 * Requests are served one after the other. What the host's file system makes us wait for, the pod's
 * other names wait for too; its data does not.
 */
#include "vmm/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/path.h"
#include "vmm/share_internal.h"

#define FDS_KEPT_BACK 128 /* of the process's limit, for what are not guests' files */
#define MAX_OPEN      16384
#define MAX_PAGES     256
#define PAGE          4096

#define FLAGS                                                                                      \
	(FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_AUTO_INVAL_DATA |               \
	 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS |     \
	 FUSE_MAX_PAGES | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT)
#define FLAGS_NEEDED (FUSE_DONT_MASK | FUSE_SETXATTR_EXT | FUSE_INIT_EXT | FUSE_MAX_PAGES)

/* --- roots ---------------------------------------------------------------------------------- */

struct share_root *share_root_ref(struct share_root *root)
{
	root->refs++;
	return root;
}

void share_root_unref(struct share_root *root)
{
	if (--root->refs == 0)
		free(root);
}

struct share_name *share_name_find(const struct share *share, const char *name)
{
	for (struct list *it = share->names.next; it != &share->names; it = it->next)
		if (strcmp(list_entry(it, struct share_name, link)->name, name) == 0)
			return list_entry(it, struct share_name, link);
	return NULL;
}

static int check_root(const struct share *share, const struct share_root_config *config, int fd,
		      struct stat *st, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (!path_is_name(config->name))
		return err_set(err, EINVAL, "share: not a name for a root");
	if (share_name_find(share, config->name))
		return err_set(err, EEXIST, "share %s: there already", config->name);
	if (share->n_names == SHARE_MAX_NAMES)
		return err_set(err, ENOBUFS, "share %s: too many", config->name);
	if (flags < 0 || !(flags & O_PATH) || fstat(fd, st) < 0)
		return err_set(err, EINVAL, "share %s: not an O_PATH descriptor", config->name);
	if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
		return err_set(err, EINVAL, "share %s: neither a directory nor a regular file",
			       config->name);
	return 0;
}

/* The root that has been made of the same, for the same use. */
static struct share_root *find_same(const struct share *share,
				    const struct share_root_config *config, const struct stat *st)
{
	for (struct list *it = share->names.next; it != &share->names; it = it->next) {
		struct share_root *root = list_entry(it, struct share_name, link)->root;

		if (root->inode->dev == st->st_dev && root->inode->ino == st->st_ino &&
		    root->readonly == config->readonly && root->devices == config->devices &&
		    root->submounts == config->submounts && root->cache_ns == config->cache_ns)
			return share_root_ref(root);
	}
	return NULL;
}

/* fd is taken over where this succeeds. */
static int new_root(struct share *share, const struct share_root_config *config, int fd,
		    const struct stat *st, struct share_root **ret)
{
	struct share_root *root = calloc(1, sizeof(*root));
	int r;

	if (!root)
		return -ENOMEM;
	root->refs = 1;
	root->readonly = config->readonly;
	root->devices = config->devices;
	root->submounts = config->submounts;
	root->cache_ns = config->cache_ns;
	r = share_inode_add_root(&share->inodes, root, fd, st, &root->inode);
	if (r < 0) {
		share_root_unref(root);
		return r;
	}
	*ret = root;
	return 0;
}

int share_add_root(struct share *share, const struct share_root_config *config, int fd,
		   struct err *err)
{
	_cleanup_close_ int owned = fd;
	struct share_name *name;
	struct stat st = {0};
	int r = check_root(share, config, fd, &st, err);

	if (r < 0)
		return r;
	name = calloc(1, sizeof(*name));
	if (!name)
		return err_set(err, ENOMEM, "share %s: out of memory", config->name);
	snprintf(name->name, sizeof(name->name), "%s", config->name);
	name->root = find_same(share, config, &st);
	if (!name->root) {
		r = new_root(share, config, fd, &st, &name->root);
		if (r < 0) {
			free(name);
			return err_set_errno(err, -r, "share %s", config->name);
		}
		TAKE_FD(owned);
	}
	name->root->names++;
	/* 1 and 2 are "." and "..". */
	name->number = 3 + share->name_count++;
	list_append(&share->names, &name->link);
	share->n_names++;
	return 0;
}

static void remove_name(struct share *share, struct share_name *name)
{
	struct share_root *root = name->root;

	list_remove(&name->link);
	share->n_names--;
	free(name);
	if (--root->names == 0) {
		share_close_dirs(share, root);
		share_inodes_drop_root(&share->inodes, root);
	}
	share_root_unref(root);
}

int share_remove_root(struct share *share, const char *name, struct err *err)
{
	struct share_name *found = share_name_find(share, name);

	if (!found)
		return err_set(err, ENOENT, "share %.255s: there is none", name);
	remove_name(share, found);
	return 0;
}

/* --- requests ------------------------------------------------------------------------------- */

int share_reply(struct share_call *call, const void *data, size_t size)
{
	if (size > call->room - call->n)
		return -ERANGE;
	if (size)
		memcpy(call->body + call->n, data, size);
	call->n += size;
	return 0;
}

static int op_init(struct share_call *call)
{
	const struct fuse_init_in *in = &call->req->init;
	uint64_t flags = in->flags | (uint64_t)in->flags2 << 32;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = MAX_PAGES * PAGE,
		.time_gran = 1,
		.max_pages = MAX_PAGES,
	};

	if (in->major != FUSE_KERNEL_VERSION || in->minor < FUSE_PROTO_MINOR ||
	    (flags & FLAGS_NEEDED) != FLAGS_NEEDED)
		return -EPROTO;
	/* A guest that begins anew has forgotten. */
	share_close_dirs(call->share, NULL);
	share_inodes_reset(&call->share->inodes);
	flags &= FLAGS | FUSE_ALLOW_IDMAP | (call->share->privileged ? FUSE_POSIX_ACL : 0);
	out.flags = (uint32_t)flags;
	out.flags2 = (uint32_t)(flags >> 32);
	return share_reply(call, &out, sizeof(out));
}

static int op_destroy(struct share_call *call)
{
	share_close_dirs(call->share, NULL);
	share_inodes_reset(&call->share->inodes);
	return 0;
}

enum {
	ANYWHERE = 1 << 0, /* of no node */
	ON_ROOTS = 1 << 1, /* also of the directory of the roots */
	WRITES = 1 << 2,
	IN_DIR = 1 << 3, /* of a directory */
};

static const struct {
	share_op serve;
	unsigned flags;
} ops[] = {
	[FUSE_INIT] = {op_init, ANYWHERE},
	[FUSE_DESTROY] = {op_destroy, ANYWHERE},
	[FUSE_LOOKUP] = {share_op_lookup, ON_ROOTS | IN_DIR},
	[FUSE_GETATTR] = {share_op_getattr, ON_ROOTS},
	[FUSE_SETATTR] = {share_op_setattr, WRITES},
	[FUSE_STATX] = {share_op_statx, ON_ROOTS},
	[FUSE_READLINK] = {share_op_readlink, 0},
	[FUSE_SYMLINK] = {share_op_symlink, WRITES | IN_DIR},
	[FUSE_MKNOD] = {share_op_mknod, WRITES | IN_DIR},
	[FUSE_MKDIR] = {share_op_mkdir, WRITES | IN_DIR},
	[FUSE_UNLINK] = {share_op_unlink, WRITES | IN_DIR},
	[FUSE_RMDIR] = {share_op_rmdir, WRITES | IN_DIR},
	[FUSE_RENAME] = {share_op_rename, WRITES | IN_DIR},
	[FUSE_RENAME2] = {share_op_rename, WRITES | IN_DIR},
	[FUSE_LINK] = {share_op_link, WRITES | IN_DIR},
	[FUSE_OPEN] = {share_op_open, 0},
	[FUSE_CREATE] = {share_op_create, WRITES | IN_DIR},
	[FUSE_TMPFILE] = {share_op_tmpfile, WRITES | IN_DIR},
	[FUSE_STATFS] = {share_op_statfs, ON_ROOTS},
	[FUSE_SYNCFS] = {share_op_syncfs, ANYWHERE},
	[FUSE_SETXATTR] = {share_op_setxattr, WRITES},
	[FUSE_GETXATTR] = {share_op_getxattr, ON_ROOTS},
	[FUSE_LISTXATTR] = {share_op_listxattr, ON_ROOTS},
	[FUSE_REMOVEXATTR] = {share_op_removexattr, WRITES},
	[FUSE_OPENDIR] = {share_op_opendir, ON_ROOTS | IN_DIR},
	[FUSE_READDIR] = {share_op_readdir, ON_ROOTS | IN_DIR},
	[FUSE_READDIRPLUS] = {share_op_readdirplus, ON_ROOTS | IN_DIR},
	[FUSE_RELEASEDIR] = {share_op_releasedir, ANYWHERE},
	[FUSE_FSYNCDIR] = {share_op_fsyncdir, ON_ROOTS | IN_DIR},
};

static int serve(struct share_call *call)
{
	const struct fuse_in_header *h = &call->req->h;
	unsigned flags;

	if (h->opcode >= ARRAY_SIZE(ops) || !ops[h->opcode].serve)
		return -ENOSYS;
	flags = ops[h->opcode].flags;
	if (!(flags & ANYWHERE) && h->nodeid != SHARE_ROOT_ID) {
		call->inode = share_inode_find(&call->share->inodes, h->nodeid);
		if (!call->inode)
			return -ESTALE;
		if (flags & WRITES && call->inode->root->readonly)
			return -EROFS;
		if (flags & IN_DIR && call->inode->type != S_IFDIR)
			return -ENOTDIR;
	} else if (!(flags & (ANYWHERE | ON_ROOTS))) {
		return flags & IN_DIR || flags & WRITES ? -EROFS : -EISDIR;
	}
	return ops[h->opcode].serve(call);
}

static void forget(struct share *share, uint64_t nodeid, uint64_t n)
{
	struct share_inode *inode = share_inode_find(&share->inodes, nodeid);

	if (inode)
		share_inode_forget(&share->inodes, inode, n);
}

static void serve_silent(struct share *share, const struct fuse_request *req)
{
	if (req->h.opcode == FUSE_FORGET)
		forget(share, req->h.nodeid, req->forget.nlookup);
	for (uint32_t i = 0; req->h.opcode == FUSE_BATCH_FORGET && i < req->batch_forget.count;
	     i++) {
		struct fuse_forget_one one = fuse_forget_at(req, i);

		forget(share, one.nodeid, one.nlookup);
	}
}

size_t share_serve(struct share *share, const uint8_t *buf, size_t len, int fd_in, uint8_t *reply,
		   int *ret_fd)
{
	struct fuse_request req;
	struct share_call call = {
		.share = share,
		.req = &req,
		.fd_in = fd_in,
		.body = reply + sizeof(struct fuse_out_header),
		.room = FUSE_PROTO_MAX_VALUE,
		.fd_out = -1,
	};
	struct fuse_out_header out = {0};
	int r = fuse_decode(buf, len, &req);

	*ret_fd = -1;
	if (r == -EPROTO)
		return 0;
	if (fuse_is_silent(req.h.opcode)) {
		if (r == 0)
			serve_silent(share, &req);
		return 0;
	}
	if (r == 0)
		r = serve(&call);
	if (r < 0) {
		call.n = 0;
		close_fd(&call.fd_out);
	}
	*ret_fd = call.fd_out;
	out.len = (uint32_t)(sizeof(out) + call.n);
	out.error = r;
	out.unique = req.h.unique;
	memcpy(reply, &out, sizeof(out));
	return out.len;
}

/* --- life ----------------------------------------------------------------------------------- */

/* As many descriptors as the process may have, and how many of them are for the guest's files. */
static uint32_t raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 64;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur <= 4 * (rlim_t)FDS_KEPT_BACK)
		return 64;
	return files.rlim_cur - FDS_KEPT_BACK < 2 * (rlim_t)MAX_OPEN
		       ? (uint32_t)(files.rlim_cur - FDS_KEPT_BACK) / 2
		       : MAX_OPEN;
}

int share_create(struct share **ret)
{
	struct share *share = calloc(1, sizeof(*share));
	uint32_t max_open = raise_limit();
	int r;

	if (!share)
		return -ENOMEM;
	list_init(&share->names);
	share->uid = geteuid();
	share->gid = getegid();
	share->privileged = share->uid == 0;
	share->max_dirs = max_open / 2 < SHARE_MAX_DIRS ? max_open / 2 : SHARE_MAX_DIRS;
	for (unsigned i = 0; i < SHARE_MAX_DIRS; i++)
		share->dirs[i].fd = -1;
	r = share_inodes_init(&share->inodes, max_open);
	if (r < 0) {
		free(share);
		return r;
	}
	*ret = share;
	return 0;
}

void share_destroy(struct share *share)
{
	struct list *it, *tmp;

	if (!share)
		return;
	list_for_each_safe (it, tmp, &share->names)
		remove_name(share, list_entry(it, struct share_name, link));
	share_inodes_finish(&share->inodes);
	free(share);
}
