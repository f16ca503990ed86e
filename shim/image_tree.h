/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks over a root file system's tree. One walk gives two digests:
 *
 *	signature	of everything that changes when a file does, and costs no reading of its
 *			content: path, device, inode, mode, owner, size, mtime, ctime. While it stays
 *			the same, so does the tree.
 *	uuid		of what equal trees have in common wherever they lie: path, mode, owner,
 *			size, links, device numbers. It becomes the UUID of the file system made of
 *			the tree, so that equal trees make equal files.
 */
#ifndef SHIM_IMAGE_TREE_H
#define SHIM_IMAGE_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct image_userns;

#define IMAGE_TREE_MAX_ENTRIES (8u << 20)

struct image_tree {
	char signature[65]; /* hex */
	char uuid[37];
	uint64_t entries;
	/* Whose entries these are, seen from a user with ns. */
	uint64_t own, covered, foreign, unreadable;
	uid_t foreign_uid;
	gid_t foreign_gid;
};

/*
 * ns may be NULL: nobody counts owners. With all_root the uuid is that of the same tree with
 * everything owned by root. Directories that cannot be entered are counted in unreadable. -EXDEV
 * where another file system is mounted inside.
 */
int image_tree_scan(const char *path, const struct image_userns *ns, bool all_root,
		    struct image_tree *ret, struct err *err);

/* Removes a tree in the current directory, however deep. It may be gone already. */
int image_tree_remove(const char *name, struct err *err);

#endif
