/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the image store, /var/lib/sbx/images, or ~/.local/share/sbx/images of a
 * user, or images beneath SBX_ROOT. Its owner's alone (0700).
 *
 *	<sha256>.erofs	one image, named by its content; never changed once it has its name
 *	refs/<h>.json	what a reference became (image_record.h); h is the reference's SHA-256
 *	locks/<h>	held (flock) while an image of signature or reference h is being built
 *	tmp/XXXXXX	a build in progress; its directory is held (flock) by the builder
 *	lock		held shortly by whoever adds, removes or sweeps
 *
 * Names appear by rename(2) only, after fsync(2), so a crash at any moment leaves at most a
 * directory in tmp that nobody holds, or an image that no record names; both are swept by the next
 * build. Readers take no lock but a shared one on the image itself, which keeps it from being
 * removed, and look whether it still has a name after they got it.
 */
#ifndef SHIM_IMAGE_STORE_H
#define SHIM_IMAGE_STORE_H

#include <stdbool.h>

#include "common/err.h"
#include "shim/image_record.h"

struct image_store {
	char *path;
	int dirfd, refs_fd, locks_fd, tmp_fd;
};

#define IMAGE_STORE_INIT                                                                           \
	{                                                                                          \
		.dirfd = -1, .refs_fd = -1, .locks_fd = -1, .tmp_fd = -1                           \
	}

/* Where the store is or would be; the caller frees it. */
int image_store_path(char **ret, struct err *err);
/* Opens the store, made where it is missing; refuses one that others could write to. */
int image_store_open(struct image_store *ret, struct err *err);
void image_store_finish(struct image_store *store);

#define _cleanup_image_store_ __attribute__((cleanup(image_store_finish)))

/* The store's own lock, for as long as the returned fd is open. */
int image_store_lock(struct image_store *store, struct err *err);

/* The record of a reference. -ENOENT where there is none, or none that can be read. */
int image_store_find(struct image_store *store, const char *reference, struct image_record *ret);
/* Any record of this signature. */
int image_store_find_signature(struct image_store *store, const char *signature,
			       struct image_record *ret);

/* Opens and locks a record's image. Returns the fd, -ENOENT where it is gone; *ret_path is freed. */
int image_store_open_image(struct image_store *store, const char *hex, char **ret_path);

/* Waits until nobody else builds the image that key (any text) stands for. Returns an fd. */
int image_store_lock_build(struct image_store *store, const char *key, struct err *err);
void image_store_unlock_build(struct image_store *store, const char *key, int fd);

/* A fresh directory to build in, held by the fd. */
struct image_temp {
	char name[16];
	int dirfd;
};

int image_store_make_temp(struct image_store *store, struct image_temp *ret, struct err *err);
/* Removes it with all that is in it. Fine on dirfd -1. */
void image_store_remove_temp(struct image_store *store, struct image_temp *temp);

/* Moves the file temp/name into the store as record->hex and writes the record. */
int image_store_publish(struct image_store *store, const struct image_temp *temp, const char *name,
			const struct image_record *record, struct err *err);
/* Writes a record for an image that is there already. */
int image_store_add_record(struct image_store *store, const struct image_record *record,
			   struct err *err);

/* Calls fn for every record that can be read; a negative return ends the walk and is returned. */
typedef int (*image_record_fn)(const struct image_record *record, void *data);
int image_store_for_each(struct image_store *store, image_record_fn fn, void *data);

/* Whether a process has this image open and locked. */
bool image_store_is_used(struct image_store *store, const char *hex);
/* Removes a record, and its image where no other record names it. -EBUSY while that is in use. */
int image_store_remove(struct image_store *store, const struct image_record *record,
		       struct err *err);

/* Removes the image of this file name if no record names it and nobody uses it. */
void image_store_remove_orphan(struct image_store *store, const char *file);

/* Removes what dead builders left, and images without a record that nobody uses. Never fails. */
void image_store_sweep(struct image_store *store);

#endif
