/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors of what a guest has looked up: opened lazily, closed again by least recent use.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "vmm/share_inode.h"

void share_inode_close(struct share_inodes *table, struct share_inode *inode)
{
	if (inode->fd < 0)
		return;
	close_fd(&inode->fd);
	list_remove(&inode->lru);
	table->n_open--;
	table->n_pinned -= inode->pinned;
	inode->pinned = false;
}

static void touch(struct share_inodes *table, struct share_inode *inode)
{
	if (inode->pinned)
		return;
	list_remove(&inode->lru);
	list_append(&table->lru, &inode->lru);
}

void share_inode_set_fd(struct share_inodes *table, struct share_inode *inode, int fd)
{
	if (inode->fd >= 0) {
		close(fd);
		return;
	}
	if (table->n_open >= table->max_open && !list_empty(&table->lru))
		share_inode_close(table, list_entry(table->lru.next, struct share_inode, lru));
	inode->fd = fd;
	table->n_open++;
	touch(table, inode);
}

/*
 * The path to inode from the nearest ancestor that is open. It is bounded: the tree changes on the
 * host too, so that what we remember of it may even be a circle.
 */
static int find_path(const struct share_inode *inode, char buf[PATH_MAX], const char **ret_path)
{
	size_t at = PATH_MAX - 1;

	buf[at] = '\0';
	for (; inode->fd < 0; inode = inode->parent) {
		size_t n;

		if (!inode->name || !inode->parent)
			return -ESTALE;
		n = strlen(inode->name);
		if (n + 1 > at)
			return -ENAMETOOLONG;
		if (buf[at])
			buf[--at] = '/';
		at -= n;
		memcpy(buf + at, inode->name, n);
	}
	*ret_path = buf + at;
	return inode->fd;
}

int share_inode_open(struct share_inodes *table, struct share_inode *inode)
{
	_cleanup_close_ int fd = -1;
	char buf[PATH_MAX];
	const char *path;
	struct stat st;
	int from;

	if (inode->fd >= 0) {
		touch(table, inode);
		return inode->fd;
	}
	from = find_path(inode, buf, &path);
	if (from < 0)
		return from;
	fd = path_open_beneath(from, path, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? -ESTALE : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != inode->dev || st.st_ino != inode->ino ||
	    (st.st_mode & S_IFMT) != inode->type)
		return -ESTALE;
	share_inode_set_fd(table, inode, TAKE_FD(fd));
	return inode->fd;
}

void share_inode_pin(struct share_inodes *table, struct share_inode *inode)
{
	/* Beyond the limit its descriptor stays for a while at least. */
	if (inode->pinned || share_inode_open(table, inode) < 0 ||
	    table->n_pinned >= table->max_open / 2)
		return;
	list_remove(&inode->lru);
	inode->pinned = true;
	table->n_pinned++;
}

void share_inode_unpin(struct share_inodes *table, struct share_inode *inode)
{
	if (!inode->pinned || !inode->name)
		return;
	inode->pinned = false;
	table->n_pinned--;
	list_append(&table->lru, &inode->lru);
}
