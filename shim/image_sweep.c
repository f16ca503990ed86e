/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What leaves the store: builds that ended or whose builder died, images that nothing names, locks
 * that nobody holds. A build's tree may belong to subordinate ids and be open to nobody, so it is
 * removed by a job in the namespace that it was made in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/image_job.h"
#include "shim/image_store.h"
#include "shim/image_tree.h"
#include "shim/image_userns.h"

#define REMOVE_TRIES 5
#define REMOVE_WAIT  50000

static int remove_in_job(void *arg, struct err *err)
{
	int r = -EAGAIN;

	/* A helper that was killed with its parent may take a moment to stop writing. */
	for (int i = 0; r < 0 && i < REMOVE_TRIES; i++) {
		if (i > 0)
			usleep(REMOVE_WAIT);
		r = image_tree_remove(arg, err);
	}
	return r;
}

static void remove_tree(struct image_store *store, const char *name)
{
	struct image_job job = {.run = remove_in_job, .arg = (char *)name, .dirfd = store->tmp_fd};
	struct image_userns ns;

	if (geteuid() != 0 && image_userns_find(&ns, NULL) == 0)
		job.userns = &ns;
	image_job_run(&job, NULL);
}

void image_store_remove_temp(struct image_store *store, struct image_temp *temp)
{
	if (temp->dirfd < 0)
		return;
	remove_tree(store, temp->name);
	close_fd(&temp->dirfd);
}

/* Calls fn for every name in a directory of the store. */
static void for_each_name(int dirfd, void (*fn)(struct image_store *, const char *),
			  struct image_store *store)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!dir) {
		close_fd(&fd);
		return;
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.')
			fn(store, de->d_name);
	closedir(dir);
}

/* One that is being made is locked under the store's lock, and must not be found locked by us. */
static int lock_temp(struct image_store *store, const char *name)
{
	_cleanup_close_ int lock = image_store_lock(store, NULL);
	_cleanup_close_ int fd =
		openat(store->tmp_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return lock >= 0 && fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? TAKE_FD(fd) : -1;
}

static void sweep_temp(struct image_store *store, const char *name)
{
	_cleanup_close_ int fd = lock_temp(store, name);

	if (fd >= 0)
		remove_tree(store, name);
}

static void sweep_lock(struct image_store *store, const char *name)
{
	_cleanup_close_ int fd = openat(store->locks_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	/* Whoever waits for it finds out that it has no name any more (image_store_lock_build). */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(store->locks_fd, name, 0);
}

static void sweep_image(struct image_store *store, const char *name)
{
	const char *dot = strchr(name, '.');

	if (dot && strcmp(dot, ".erofs") == 0)
		image_store_remove_orphan(store, name);
}

void image_store_sweep(struct image_store *store)
{
	for_each_name(store->tmp_fd, sweep_temp, store);
	for_each_name(store->locks_fd, sweep_lock, store);
	for_each_name(store->dirfd, sweep_image, store);
}
