/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a guest has looked up, by the numbers that it knows them by. One thread only.
 *
 * An inode is remembered by what it is (file system, number) and by how it was found (parent, name);
 * it has a descriptor only while it is in use, so a hundred thousand looked-up files need no hundred
 * thousand descriptors. The file is opened again by its name, beneath its root, and must then be
 * what it was, or the answer is ESTALE, upon which a guest's kernel looks the name up anew. What has
 * lost its name but may still be in use keeps its descriptor.
 */
#ifndef VMM_SHARE_INODE_H
#define VMM_SHARE_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/list.h"

#define SHARE_MAX_INODES (1u << 19)
#define SHARE_MAX_DEVS   512 /* file systems that are told apart; those beyond are one */
#define SHARE_ROOT_ID    1   /* FUSE_ROOT_ID: the directory of the roots, which is no inode here */

struct share_root;

struct share_inode {
	struct share_root *root; /* NULL: free */
	dev_t dev;
	ino_t ino;
	mode_t type;      /* S_IFMT of its mode */
	uint64_t nlookup; /* what the guest will forget */
	uint32_t index, generation;
	uint32_t children;                 /* inodes whose parent this is */
	struct share_inode *parent, *next; /* next: in its hash chain or the free list */
	uint16_t place;                    /* its file system's, in devs */
	char *name;                        /* in parent; NULL: a root, or nameless */
	int fd;                            /* O_PATH, -1: closed */
	bool pinned;                       /* the descriptor stays */
	struct list lru;                   /* where it has a descriptor that may be closed */
	/* When it was last opened for reading: has it changed since? */
	struct timespec seen_mtime, seen_ctime;
	off_t seen_size;
};

/* A file system. Its place is another's once nothing of it is known any more. */
struct share_dev {
	dev_t dev;
	uint32_t inodes;
};

struct share_inodes {
	struct share_inode **blocks;
	uint32_t n_blocks, n_used;
	struct share_inode *free;
	struct share_inode **hash; /* power of two, grows with the table */
	uint32_t hash_size;
	struct list lru; /* the longest unused first */
	uint32_t n_open, n_pinned, max_open;
	struct share_dev devs[SHARE_MAX_DEVS + 1]; /* the last: all that have no place */
	unsigned n_devs;
};

/* max_open: descriptors to keep at most. */
int share_inodes_init(struct share_inodes *table, uint32_t max_open);
void share_inodes_finish(struct share_inodes *table);

uint64_t share_inode_id(const struct share_inode *inode);
/* NULL where there is none of that number (any more). */
struct share_inode *share_inode_find(struct share_inodes *table, uint64_t id);
/* The same by what it is. */
struct share_inode *share_inode_by_stat(struct share_inodes *table, const struct share_root *root,
					const struct stat *st);

/* The root itself; fd is taken over where this succeeds. */
int share_inode_add_root(struct share_inodes *table, struct share_root *root, int fd,
			 const struct stat *st, struct share_inode **ret);

/* The place of a file system in devs: the same for as long as an inode of it is there. */
unsigned share_inodes_place(struct share_inodes *table, dev_t dev);
/* The one after inode, or the first, of those that are beneath some root; NULL: no more. */
struct share_inode *share_inodes_next(struct share_inodes *table, const struct share_inode *inode);

/*
 * What was found as name in parent: the inode that is there already, or a new one. parent NULL:
 * nameless. Counts one lookup. -ENFILE, -ENOMEM.
 */
int share_inode_get(struct share_inodes *table, struct share_root *root, struct share_inode *parent,
		    const char *name, const struct stat *st, struct share_inode **ret);
/*
 * st is inode's own, by a descriptor of it. overlayfs gives another number to a file of several links when the
 * first write copies it up: it is found by that one from now on.
 */
void share_inode_seen(struct share_inodes *table, struct share_inode *inode, const struct stat *st);
void share_inode_forget(struct share_inodes *table, struct share_inode *inode, uint64_t n);

/* An O_PATH descriptor, good until a few others have been opened. -ESTALE, -EMFILE … */
int share_inode_open(struct share_inodes *table, struct share_inode *inode);
/* Its descriptor, if it has one, closes, pinned or not. */
void share_inode_close(struct share_inodes *table, struct share_inode *inode);
/* Makes fd (taken over) its descriptor if it has none. */
void share_inode_set_fd(struct share_inodes *table, struct share_inode *inode, int fd);
/* Keeps its descriptor open from now on, as far as there is room for it. */
void share_inode_pin(struct share_inodes *table, struct share_inode *inode);
/* It may be closed again, if it has a name to be found by. */
void share_inode_unpin(struct share_inodes *table, struct share_inode *inode);

/* It is called name in parent from now on; parent NULL: it has lost its name. */
int share_inode_rename(struct share_inodes *table, struct share_inode *inode,
		       struct share_inode *parent, const char *name);

/* Closes every descriptor beneath a root; all of it, and the root inode, is found no more. */
void share_inodes_drop_root(struct share_inodes *table, struct share_root *root);
/* Forgets everything but the roots: the guest begins anew. */
void share_inodes_reset(struct share_inodes *table);

#endif
