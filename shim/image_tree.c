/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/image_userns.h"

static void close_fts(FTS **fts)
{
	if (*fts)
		fts_close(*fts);
}

struct scan {
	const struct image_userns *ns;
	bool all_root;
	size_t prefix; /* of every path: the root's */
	dev_t dev;
	SHA256_CTX signature, uuid;
	struct image_tree tree;
};

/* The order must not be the directory's, which differs between equal trees. */
static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void count_owner(struct image_tree *tree, const struct image_userns *ns,
			const struct stat *st)
{
	if (st->st_uid == ns->uid)
		tree->own++;
	if (image_userns_covers(ns, st->st_uid, st->st_gid)) {
		tree->covered++;
	} else {
		if (!tree->foreign)
			tree->foreign_uid = st->st_uid, tree->foreign_gid = st->st_gid;
		tree->foreign++;
	}
}

/* Path and fields, each of known length or with its NUL, so that no two trees read the same. */
static void add_fields(SHA256_CTX *ctx, const char *path, const uint64_t *fields, size_t size)
{
	SHA256Update(ctx, (const uint8_t *)path, strlen(path) + 1);
	SHA256Update(ctx, (const uint8_t *)fields, size);
}

static int add_entry(struct scan *scan, const FTSENT *entry, struct err *err)
{
	const struct stat *st = entry->fts_statp;
	const char *path = entry->fts_path + scan->prefix;
	const uint64_t here[] = {
		st->st_dev,
		st->st_ino,
		st->st_uid,
		st->st_gid,
		(uint64_t)st->st_mtim.tv_sec,
		(uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec,
		(uint64_t)st->st_ctim.tv_nsec,
	};
	const uint64_t anywhere[] = {
		st->st_mode,
		scan->all_root ? 0 : st->st_uid,
		scan->all_root ? 0 : st->st_gid,
		S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		S_ISDIR(st->st_mode) ? 0 : st->st_nlink,
		S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
	};
	char target[PATH_MAX];
	ssize_t n;

	add_fields(&scan->signature, path, here, sizeof(here));
	SHA256Update(&scan->signature, (const uint8_t *)anywhere, sizeof(anywhere));
	add_fields(&scan->uuid, path, anywhere, sizeof(anywhere));
	if (!S_ISLNK(st->st_mode))
		return 0;
	n = readlink(entry->fts_accpath, target, sizeof(target));
	if (n < 0 || n == (ssize_t)sizeof(target))
		return err_set_errno(err, n < 0 ? errno : ENAMETOOLONG, "%.500s", entry->fts_path);
	add_fields(&scan->uuid, "", (uint64_t[]){(uint64_t)n}, sizeof(uint64_t));
	SHA256Update(&scan->uuid, (const uint8_t *)target, (size_t)n);
	return 0;
}

static int check_entry(struct scan *scan, const FTSENT *entry, struct err *err)
{
	if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
		return err_set_errno(err, entry->fts_errno, "%.500s", entry->fts_path);
	if (entry->fts_info == FTS_DC)
		return err_set(err, ELOOP, "%.500s: a directory within itself", entry->fts_path);
	if (entry->fts_level == FTS_ROOTLEVEL && entry->fts_info != FTS_D)
		return err_set_errno(err, ENOTDIR, "%.500s", entry->fts_path);
	if (++scan->tree.entries > IMAGE_TREE_MAX_ENTRIES)
		return err_set(err, E2BIG, "more than %u files", IMAGE_TREE_MAX_ENTRIES);
	if (entry->fts_level == FTS_ROOTLEVEL)
		scan->dev = entry->fts_statp->st_dev;
	if (entry->fts_info == FTS_D && entry->fts_statp->st_dev != scan->dev)
		return err_set(err, EXDEV, "%.500s: another file system is mounted there",
			       entry->fts_path);
	return 0;
}

static int scan_entries(struct scan *scan, FTS *fts, struct err *err)
{
	const FTSENT *entry;
	int r;

	while (errno = 0, (entry = fts_read(fts))) {
		if (entry->fts_info == FTS_DP)
			continue;
		/* Comes after its FTS_D, so everything else of it has been seen. */
		if (entry->fts_info == FTS_DNR) {
			scan->tree.unreadable++;
			continue;
		}
		r = check_entry(scan, entry, err);
		if (r == 0)
			r = add_entry(scan, entry, err);
		if (r < 0)
			return r;
		if (scan->ns)
			count_owner(&scan->tree, scan->ns, entry->fts_statp);
	}
	return errno ? err_set_errno(err, errno, "directory") : 0;
}

/* RFC 9562, version 8: sixteen bytes of one's own, but for the version and the variant. */
static void format_uuid(uint8_t digest[SHA256_DIGEST_LENGTH], char uuid[37])
{
	char *out = uuid;

	digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0f));
	digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3f));
	for (int i = 0; i < 16; i++) {
		const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";

		out += sprintf(out, "%s%02x", dash, digest[i]);
	}
}

int image_tree_scan(const char *path, const struct image_userns *ns, bool all_root,
		    struct image_tree *ret, struct err *err)
{
	struct scan scan = {.ns = ns, .all_root = all_root, .prefix = strlen(path)};
	_cleanup_(close_fts) FTS *fts = NULL;
	char *const paths[] = {(char *)path, NULL};
	uint8_t digest[SHA256_DIGEST_LENGTH];
	int r;

	/* The caller's current directory is not ours to change. */
	fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	if (!fts)
		return err_set_errno(err, errno, "%.500s", path);
	SHA256Init(&scan.signature);
	SHA256Init(&scan.uuid);
	r = scan_entries(&scan, fts, err);
	if (r < 0)
		return r;
	*ret = scan.tree;
	SHA256End(&scan.signature, ret->signature);
	SHA256Final(digest, &scan.uuid);
	format_uuid(digest, ret->uuid);
	return 0;
}

int image_tree_remove(const char *name, struct err *err)
{
	_cleanup_(close_fts) FTS *fts = NULL;
	char *const paths[] = {(char *)name, NULL};
	const FTSENT *entry;

	/* fts changes into each directory, so no path grows too long. */
	fts = fts_open(paths, FTS_PHYSICAL, NULL);
	if (!fts)
		return err_set_errno(err, errno, "%s", name);
	while (errno = 0, (entry = fts_read(fts))) {
		int flags = entry->fts_info == FTS_DP ? AT_REMOVEDIR : 0;

		if (entry->fts_info == FTS_D ||
		    (entry->fts_info == FTS_NS && entry->fts_errno == ENOENT))
			continue;
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			return err_set_errno(err, entry->fts_errno, "%.500s", entry->fts_path);
		if (unlinkat(AT_FDCWD, entry->fts_accpath, flags) < 0 && errno != ENOENT)
			return err_set_errno(err, errno, "%.500s", entry->fts_path);
	}
	return errno ? err_set_errno(err, errno, "%s", name) : 0;
}
