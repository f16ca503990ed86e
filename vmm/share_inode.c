/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/share_inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "vmm/share_internal.h"

#define BLOCK     1024u
#define FIRST_ID  2u /* SHARE_ROOT_ID is taken, 0 is nobody */
#define HASH_INIT 1024u

int share_inodes_init(struct share_inodes *table, uint32_t max_open)
{
	*table = (struct share_inodes){.hash_size = HASH_INIT, .max_open = max_open};
	list_init(&table->lru);
	table->hash = calloc(HASH_INIT, sizeof(struct share_inode *));
	return table->hash ? 0 : -ENOMEM;
}

void share_inodes_finish(struct share_inodes *table)
{
	for (uint32_t i = 0; i < table->n_blocks; i++) {
		for (uint32_t k = 0; k < BLOCK; k++) {
			share_inode_close(table, &table->blocks[i][k]);
			free(table->blocks[i][k].name);
		}
		free(table->blocks[i]);
	}
	free(table->blocks);
	free(table->hash);
	*table = (struct share_inodes){0};
}

/* --- the table ------------------------------------------------------------------------------ */

uint64_t share_inode_id(const struct share_inode *inode)
{
	return (uint64_t)inode->generation << 32 | (inode->index + FIRST_ID);
}

struct share_inode *share_inode_find(struct share_inodes *table, uint64_t id)
{
	uint32_t i = (uint32_t)id - FIRST_ID; /* wraps to what is in no table */
	struct share_inode *inode;

	if (i / BLOCK >= table->n_blocks)
		return NULL;
	inode = &table->blocks[i / BLOCK][i % BLOCK];
	/* What the guest has forgotten may still be here, for its children. */
	return inode->root && inode->nlookup && inode->generation == id >> 32 ? inode : NULL;
}

static struct share_inode **chain_of(const struct share_inodes *table,
				     const struct share_root *root, dev_t dev, ino_t ino)
{
	uint64_t h = (uint64_t)ino * 0x9e3779b97f4a7c15ull ^ (uint64_t)dev * 0xc2b2ae3d27d4eb4full ^
		     (uintptr_t)root >> 4;

	h ^= h >> 32;
	return &table->hash[h & (table->hash_size - 1)];
}

static void hash_add(struct share_inodes *table, struct share_inode *inode)
{
	struct share_inode **chain = chain_of(table, inode->root, inode->dev, inode->ino);

	inode->next = *chain;
	*chain = inode;
}

static void hash_remove(struct share_inodes *table, struct share_inode *inode)
{
	struct share_inode **at = chain_of(table, inode->root, inode->dev, inode->ino);

	while (*at != inode)
		at = &(*at)->next;
	*at = inode->next;
}

/* Chains stay short; without memory they grow longer, which is only slower. */
static void hash_grow(struct share_inodes *table)
{
	struct share_inode **old = table->hash;
	uint32_t old_size = table->hash_size;
	struct share_inode **hash = calloc(2 * (size_t)old_size, sizeof(*hash));

	if (!hash)
		return;
	table->hash = hash;
	table->hash_size = 2 * old_size;
	for (uint32_t i = 0; i < old_size; i++) {
		struct share_inode *next;

		for (struct share_inode *inode = old[i]; inode; inode = next) {
			next = inode->next;
			hash_add(table, inode);
		}
	}
	free(old);
}

static int add_block(struct share_inodes *table)
{
	uint32_t first = table->n_blocks * BLOCK;
	struct share_inode **blocks, *block;

	if (first >= SHARE_MAX_INODES)
		return -ENFILE;
	blocks = realloc(table->blocks, (table->n_blocks + 1) * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	table->blocks = blocks;
	block = calloc(BLOCK, sizeof(*block));
	if (!block)
		return -ENOMEM;
	blocks[table->n_blocks++] = block;
	for (uint32_t i = BLOCK; i-- > 0;) {
		block[i].index = first + i;
		block[i].fd = -1;
		list_init(&block[i].lru);
		block[i].next = table->free;
		table->free = &block[i];
	}
	return 0;
}

unsigned share_inodes_place(struct share_inodes *table, dev_t dev)
{
	unsigned place = table->n_devs;

	for (unsigned i = 0; i < table->n_devs; i++) {
		if (table->devs[i].dev == dev)
			return i;
		if (!table->devs[i].inodes && place == table->n_devs)
			place = i;
	}
	if (place == SHARE_MAX_DEVS)
		return place;
	if (place == table->n_devs)
		table->n_devs++;
	table->devs[place] = (struct share_dev){.dev = dev};
	return place;
}

struct share_inode *share_inodes_next(struct share_inodes *table, const struct share_inode *inode)
{
	for (uint32_t i = inode ? inode->index + 1 : 0; i < table->n_blocks * BLOCK; i++) {
		struct share_inode *next = &table->blocks[i / BLOCK][i % BLOCK];

		if (next->root)
			return next;
	}
	return NULL;
}

static void enter(struct share_inodes *table, struct share_inode *inode, const struct stat *st)
{
	inode->dev = st->st_dev;
	inode->ino = st->st_ino;
	inode->place = (uint16_t)share_inodes_place(table, inode->dev);
	table->devs[inode->place].inodes++;
	hash_add(table, inode);
}

static int new_inode(struct share_inodes *table, struct share_root *root, const struct stat *st,
		     struct share_inode **ret)
{
	struct share_inode *inode;
	int r = table->free ? 0 : add_block(table);

	if (r < 0)
		return r;
	if (table->n_used >= table->hash_size)
		hash_grow(table);
	inode = table->free;
	table->free = inode->next;
	table->n_used++;
	inode->root = share_root_ref(root);
	inode->type = st->st_mode & S_IFMT;
	inode->seen_size = -1;
	enter(table, inode, st);
	*ret = inode;
	return 0;
}

void share_inode_seen(struct share_inodes *table, struct share_inode *inode, const struct stat *st)
{
	if ((inode->dev == st->st_dev && inode->ino == st->st_ino) ||
	    inode->type != (st->st_mode & S_IFMT))
		return;
	hash_remove(table, inode);
	table->devs[inode->place].inodes--;
	enter(table, inode, st);
}

static void free_inode(struct share_inodes *table, struct share_inode *inode);

static void unname(struct share_inodes *table, struct share_inode *inode)
{
	struct share_inode *parent = TAKE_PTR(inode->parent);

	free(TAKE_PTR(inode->name));
	if (parent)
		parent->children--;
}

/* Frees inode, and its parents up, as far as nobody needs them any more. */
static void release(struct share_inodes *table, struct share_inode *inode)
{
	while (inode && !inode->nlookup && !inode->children) {
		struct share_inode *parent = inode->parent;

		free_inode(table, inode);
		inode = parent;
	}
}

static void free_inode(struct share_inodes *table, struct share_inode *inode)
{
	share_inode_close(table, inode);
	hash_remove(table, inode);
	unname(table, inode);
	share_root_unref(TAKE_PTR(inode->root));
	table->devs[inode->place].inodes--;
	inode->generation++;
	inode->nlookup = 0;
	inode->children = 0;
	inode->next = table->free;
	table->free = inode;
	table->n_used--;
}

struct share_inode *share_inode_by_stat(struct share_inodes *table, const struct share_root *root,
					const struct stat *st)
{
	struct share_inode *inode = *chain_of(table, root, st->st_dev, st->st_ino);

	while (inode && (inode->root != root || inode->dev != st->st_dev ||
			 inode->ino != st->st_ino || inode->type != (st->st_mode & S_IFMT)))
		inode = inode->next;
	return inode;
}

int share_inode_add_root(struct share_inodes *table, struct share_root *root, int fd,
			 const struct stat *st, struct share_inode **ret)
{
	struct share_inode *inode;
	int r = new_inode(table, root, st, &inode);

	if (r < 0)
		return r;
	inode->nlookup = 1; /* the root's own */
	inode->fd = fd;
	inode->pinned = true;
	table->n_open++;
	table->n_pinned++;
	*ret = inode;
	return 0;
}

int share_inode_rename(struct share_inodes *table, struct share_inode *inode,
		       struct share_inode *parent, const char *name)
{
	struct share_inode *old = inode->parent;
	char *copy;

	/* A root keeps being found by its descriptor. */
	if (inode == inode->root->inode || inode == parent)
		return 0;
	if (parent && old == parent && inode->name && strcmp(inode->name, name) == 0) {
		share_inode_unpin(table, inode);
		return 0;
	}
	copy = parent ? strdup(name) : NULL;
	if (parent && !copy)
		return -ENOMEM;
	if (parent)
		parent->children++;
	unname(table, inode);
	inode->parent = parent;
	inode->name = copy;
	share_inode_unpin(table, inode);
	release(table, old);
	return 0;
}

int share_inode_get(struct share_inodes *table, struct share_root *root, struct share_inode *parent,
		    const char *name, const struct stat *st, struct share_inode **ret)
{
	struct share_inode *inode = share_inode_by_stat(table, root, st);
	int r = inode ? 0 : new_inode(table, root, st, &inode);

	if (r < 0)
		return r;
	if (parent) {
		r = share_inode_rename(table, inode, parent, name);
		if (r < 0) {
			release(table, inode);
			return r;
		}
	}
	if (inode->nlookup < UINT64_MAX)
		inode->nlookup++;
	*ret = inode;
	return 0;
}

void share_inode_forget(struct share_inodes *table, struct share_inode *inode, uint64_t n)
{
	uint64_t own = inode == inode->root->inode; /* is not the guest's to forget */

	inode->nlookup = n < inode->nlookup - own ? inode->nlookup - n : own;
	release(table, inode);
}

/* --- roots ---------------------------------------------------------------------------------- */

static void each_inode(struct share_inodes *table, const struct share_root *root,
		       void (*fn)(struct share_inodes *, struct share_inode *))
{
	for (uint32_t i = 0; i < table->n_blocks; i++)
		for (uint32_t k = 0; k < BLOCK; k++) {
			struct share_inode *inode = &table->blocks[i][k];

			if (inode->root && (!root || inode->root == root))
				fn(table, inode);
		}
}

static void reset_one(struct share_inodes *table, struct share_inode *inode)
{
	if (inode != inode->root->inode)
		free_inode(table, inode);
}

static void isolate(struct share_inodes *table, struct share_inode *inode)
{
	unname(table, inode);
	if (inode == inode->root->inode)
		inode->nlookup = 1;
}

void share_inodes_drop_root(struct share_inodes *table, struct share_root *root)
{
	each_inode(table, root, isolate);
	root->inode = NULL;
	/* Holds the root while the last of its inodes goes. */
	share_root_ref(root);
	each_inode(table, root, free_inode);
	share_root_unref(root);
}

void share_inodes_reset(struct share_inodes *table)
{
	each_inode(table, NULL, isolate);
	each_inode(table, NULL, reset_one);
}
