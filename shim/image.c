/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the fast way and the slow way.
 *
 * Fast: the source's signature is taken (a few kilobytes of a layout, one stat of an archive, one
 * walk without reading of a directory, nothing for a registry's image), and the store has a record
 * of this reference, or else of any, with this signature.
 *
 * Slow: the build lock of the signature is taken; whoever had it may have built what we want, so
 * the fast way is tried again; then the image is built.
 *
 * Between finding a record and locking its file the image may be removed: then it is built anew.
 */
#include "shim/image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/image_source.h"
#include "shim/places.h"

#define BUILTIN_FILE   "builtin.erofs"
#define EROFS_MAGIC_AT 1024 /* the superblock, and its first field */
#define EROFS_MAGIC    0xe0f5e1e2

void image_finish(struct image *image)
{
	struct image_config config = {image->entrypoint, image->cmd, image->env, image->user,
				      image->workdir};

	close_fd(&image->fd);
	image_config_finish(&config);
	free(image->path);
	free(image->id);
	*image = (struct image)IMAGE_INIT;
}

/* Takes path, fd and config over, also on failure. */
static int fill(struct image *ret, char *path, int fd, const char *id, struct image_config *config,
		struct err *err)
{
	struct image image = {.path = path,
			      .fd = fd,
			      .id = strdup(id),
			      .entrypoint = config->entrypoint,
			      .cmd = config->cmd,
			      .env = config->env,
			      .user = config->user,
			      .workdir = config->workdir};

	memset(config, 0, sizeof(*config));
	if (!image.id) {
		image_finish(&image);
		return err_set(err, ENOMEM, "out of memory");
	}
	*ret = image;
	return 0;
}

/* A finished file, with the configuration of an image that has none. Takes path over. */
static int take_file(char *path, const char *id, struct image *ret, struct err *err)
{
	struct image_config config;
	int fd = image_open(path, false, err);

	if (fd >= 0 && image_config_default(&config) == 0)
		return fill(ret, path, fd, id, &config, err);
	if (fd >= 0) {
		close(fd);
		fd = err_set(err, ENOMEM, "out of memory");
	}
	free(path);
	return fd;
}

static int resolve_builtin(struct image *ret, struct err *err)
{
	char *path = NULL;
	int r = places_find_share(BUILTIN_FILE, &path, err);

	return r < 0 ? r : take_file(path, "builtin", ret, err);
}

static int resolve_erofs(const struct image_ref *ref, struct image *ret, struct err *err)
{
	char *path = realpath(ref->path, NULL);

	uint32_t magic = 0;
	int r;

	if (!path)
		return err_set_errno(err, errno, "image erofs:%.200s", ref->path);
	r = take_file(path, "erofs", ret, err);
	if (r < 0)
		return r;
	/* The guest alone parses the rest: what is in the file is no business of the host's. */
	if (pread(ret->fd, &magic, sizeof(magic), EROFS_MAGIC_AT) != sizeof(magic) ||
	    le32toh(magic) != EROFS_MAGIC) {
		image_finish(ret);
		return err_set(err, EBADMSG, "image erofs:%.200s: not an EROFS file", ref->path);
	}
	return 0;
}

/* The fast way. -ENOENT where the store does not have it. */
static int take_known(struct image_store *store, const struct image_source *source,
		      struct image *ret, struct err *err)
{
	_cleanup_image_record_ struct image_record record = {0};
	char *path;
	int fd, r = image_store_find(store, source->reference, &record);
	bool is_own = r == 0 && strcmp(record.signature, source->signature) == 0;

	if (!is_own) {
		image_record_finish(&record);
		if (strcmp(source->signature, IMAGE_SIGNATURE_REGISTRY) == 0)
			return -ENOENT;
		r = image_store_find_signature(store, source->signature, &record);
		if (r < 0)
			return -ENOENT;
	}
	fd = image_store_open_image(store, record.hex, &path);
	if (fd < 0)
		return -ENOENT;
	if (!is_own) {
		free(record.reference);
		record.reference = strdup(source->reference);
		r = record.reference ? image_store_add_record(store, &record, err)
				     : err_set(err, ENOMEM, "out of memory");
		if (r < 0) {
			close(fd);
			free(path);
			return r;
		}
	}
	return fill(ret, path, fd, record.hex, &record.config, err);
}

static int build_and_take(struct image_store *store, const struct image_source *source,
			  struct image *ret, struct err *err)
{
	_cleanup_image_record_ struct image_record record = {0};
	char *path;
	int fd, r = image_source_build(source, store, &record, err);

	if (r < 0)
		return r;
	fd = image_store_open_image(store, record.hex, &path);
	if (fd < 0)
		return err_set(err, EAGAIN, "removed from the store as soon as it was built");
	return fill(ret, path, fd, record.hex, &record.config, err);
}

static int resolve_built(const struct image_ref *ref, bool pull, struct image *ret, struct err *err)
{
	_cleanup_free_ struct image_source *source = malloc(sizeof(*source));
	_cleanup_image_store_ struct image_store store = IMAGE_STORE_INIT;
	const char *key;
	int r, lock;

	if (!source)
		return err_set(err, ENOMEM, "out of memory");
	r = image_source_open(ref, source, err);
	if (r == 0)
		r = image_store_open(&store, err);
	if (r < 0)
		return r;
	r = pull ? -ENOENT : take_known(&store, source, ret, err);
	if (r != -ENOENT)
		return r;
	key = ref->kind == IMAGE_REGISTRY ? source->reference : source->signature;
	lock = image_store_lock_build(&store, key, err);
	if (lock < 0)
		return lock;
	r = pull ? -ENOENT : take_known(&store, source, ret, err);
	if (r == -ENOENT)
		r = build_and_take(&store, source, ret, err);
	image_store_unlock_build(&store, key, lock);
	return r;
}

static int resolve(const char *reference, bool pull, struct image *ret, struct err *err)
{
	_cleanup_free_ struct image_ref *ref = malloc(sizeof(*ref));
	int r;

	if (!ref)
		return err_set(err, ENOMEM, "out of memory");
	r = image_ref_parse(reference, ref, err);
	if (r < 0)
		return r;
	if (ref->kind == IMAGE_BUILTIN)
		return resolve_builtin(ret, err);
	if (ref->kind == IMAGE_EROFS)
		return resolve_erofs(ref, ret, err);
	/* Everything else has a signature, which says whether there is something new. */
	r = resolve_built(ref, pull && ref->kind == IMAGE_REGISTRY, ret, err);
	return r < 0 ? err_wrap(err, "image %.200s", reference) : 0;
}

int image_resolve(const char *reference, struct image *ret, struct err *err)
{
	return resolve(reference, false, ret, err);
}

int image_pull(const char *reference, struct image *ret, struct err *err)
{
	return resolve(reference, true, ret, err);
}
