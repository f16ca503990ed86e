/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/image_job.h"
#include "shim/image_layout.h"
#include "shim/image_tree.h"
#include "shim/image_userns.h"

/* --- directories ---------------------------------------------------------------------------- */

struct inside {
	const char *path;
	struct image_tree tree;
};

static int scan_inside(void *arg, struct err *err)
{
	struct inside *inside = arg;

	return image_tree_scan(inside->path, NULL, false, &inside->tree, err);
}

/* A tree whose directories are closed to us may be open to the root of our user namespace. */
static int scan_in_userns(const char *path, const struct image_userns *ns, struct image_tree *ret,
			  struct err *err)
{
	_cleanup_close_ int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct inside inside = {.path = path};
	struct image_job job = {.run = scan_inside,
				.arg = &inside,
				.result = &inside.tree,
				.result_size = sizeof(inside.tree),
				.dirfd = here,
				.userns = ns};
	int r = image_job_run(&job, err);

	if (r == 0)
		*ret = inside.tree;
	return r;
}

/*
 * Whose the files become: as root, they stay whose they are. A user's own files become root's, and
 * those of subordinate ids follow them; a tree that is wholly somebody else's (made by root, say)
 * stays as it is. What mixes them has no good reading and is refused.
 */
static int scan_as_user(const char *path, struct image_tree *tree, enum image_owner *owner,
			struct err *err)
{
	struct image_userns ns = {.uid = geteuid(), .gid = getegid()};
	struct err why = ERR_INIT;
	int have_ns = image_userns_find(&ns, &why);
	int r = image_tree_scan(path, &ns, true, tree, err);

	if (r < 0)
		return r;
	if (tree->unreadable == 0 && tree->own == tree->entries) {
		*owner = IMAGE_OWNER_ROOT;
		return 0;
	}
	if (tree->unreadable == 0 && tree->own == 0 && tree->covered == 0) {
		*owner = IMAGE_OWNER_KEEP;
		return 0;
	}
	if (tree->foreign == 0 && have_ns == 0) {
		*owner = IMAGE_OWNER_USERNS;
		return tree->unreadable ? scan_in_userns(path, &ns, tree, err) : 0;
	}
	if (tree->own && have_ns < 0)
		return err_set(err, why.code, "%s", why.msg);
	if (tree->unreadable && tree->own == 0)
		return err_set(err, EACCES, "it holds directories that this user may not read");
	return err_set(err, EPERM,
		       "it mixes this user's files with those of user %u, group %u, which are not "
		       "among its subordinate ids",
		       tree->foreign_uid, tree->foreign_gid);
}

static int open_dir(struct image_source *source, struct err *err)
{
	struct image_tree tree;
	int r;

	if (geteuid() == 0)
		r = image_tree_scan(source->ref.path, NULL, false, &tree, err);
	else
		r = scan_as_user(source->ref.path, &tree, &source->owner, err);
	if (r == 0)
		snprintf(source->signature, sizeof(source->signature), "tree %s", tree.signature);
	return r;
}

/* --- layouts and archives ------------------------------------------------------------------- */

static int open_layout(struct image_source *source, struct err *err)
{
	_cleanup_close_ int dirfd =
		open(source->ref.path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	struct oci_descriptor manifest;
	int r;

	if (dirfd < 0)
		return err_set(err, errno, "not an OCI layout: %s", strerror(errno));
	r = image_layout_find(dirfd, source->ref.tag, &manifest, err);
	if (r == 0)
		snprintf(source->signature, sizeof(source->signature), "manifest sha256:%s",
			 manifest.hex);
	return r;
}

static int open_archive(struct image_source *source, struct err *err)
{
	struct stat st;

	if (stat(source->ref.path, &st) < 0)
		return err_set(err, errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "not a file");
	snprintf(source->signature, sizeof(source->signature),
		 "file %" PRIx64 ":%" PRIx64 " %" PRIu64 " %" PRId64 ".%09ld %" PRId64 ".%09ld",
		 (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
		 (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (int64_t)st.st_ctim.tv_sec,
		 st.st_ctim.tv_nsec);
	return 0;
}

static int make_absolute(struct image_ref *ref, struct err *err)
{
	char absolute[PATH_MAX];

	if (!realpath(ref->path, absolute))
		return err_set(err, errno, "%s", strerror(errno));
	memcpy(ref->path, absolute, sizeof(ref->path));
	return 0;
}

int image_source_open(const struct image_ref *ref, struct image_source *ret, struct err *err)
{
	int r = 0;

	*ret = (struct image_source){.ref = *ref};
	if (ref->kind != IMAGE_REGISTRY)
		r = make_absolute(&ret->ref, err);
	if (r < 0)
		return r;
	image_ref_format(&ret->ref, ret->reference);
	switch (ref->kind) {
	case IMAGE_DIR:
		return open_dir(ret, err);
	case IMAGE_OCI:
		return open_layout(ret, err);
	case IMAGE_OCI_ARCHIVE:
	case IMAGE_DOCKER_ARCHIVE:
		return open_archive(ret, err);
	case IMAGE_REGISTRY:
		snprintf(ret->signature, sizeof(ret->signature), IMAGE_SIGNATURE_REGISTRY);
		return 0;
	case IMAGE_BUILTIN:
	case IMAGE_EROFS:
		break;
	}
	return err_set(err, EINVAL, "it is not built");
}

/* --- building ------------------------------------------------------------------------------- */

static int build_dir(const struct image_source *source, const struct image_temp *temp,
		     const char *doing, struct image_built *built, struct image_record *record,
		     struct err *err)
{
	int r = image_build_tree(temp, source->ref.path, source->owner, doing, built, err);

	if (r == 0 && image_config_default(&record->config) < 0)
		r = err_set(err, ENOMEM, "out of memory");
	return r;
}

/* At path, tag "" is whatever is there. Where borrow, the build's layout is made of it. */
static int build_oci(const struct image_temp *temp, int dirfd, const char *borrow, const char *tag,
		     const char *doing, struct image_built *built, struct image_record *record,
		     struct err *err)
{
	struct image_layout layout = {0};
	int r = image_layout_open(dirfd, tag, &layout, err);

	if (r == 0 && borrow)
		r = image_build_borrow(temp, borrow, &layout.manifest, err);
	if (r == 0)
		r = image_build_layout(temp, doing, built, err);
	if (r == 0)
		record->config = layout.config;
	else
		image_layout_finish(&layout);
	return r;
}

static int build(const struct image_source *source, const struct image_temp *temp,
		 struct image_built *built, struct image_record *record, struct err *err)
{
	_cleanup_close_ int dirfd = -1;
	char doing[256], fetching[256];
	int r;

	snprintf(doing, sizeof(doing), "building %.200s", source->reference);
	snprintf(fetching, sizeof(fetching), "%s %.200s",
		 source->ref.kind == IMAGE_REGISTRY ? "fetching" : "reading", source->reference);
	if (source->ref.kind == IMAGE_DIR)
		return build_dir(source, temp, doing, built, record, err);
	if (source->ref.kind == IMAGE_OCI) {
		dirfd = open(source->ref.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dirfd < 0)
			return err_set_errno(err, errno, "layout");
		return build_oci(temp, dirfd, source->ref.path, source->ref.tag, doing, built,
				 record, err);
	}
	r = image_build_fetch(temp, &source->ref, fetching, err);
	if (r < 0)
		return r;
	dirfd = openat(temp->dirfd, IMAGE_BUILD_LAYOUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_set_errno(err, errno, "skopeo's layout");
	return build_oci(temp, dirfd, NULL, OCI_ONLY_TAG, doing, built, record, err);
}

/* The record says of what was built that it is what was looked at. */
static int check_unchanged(const struct image_source *source, struct err *err)
{
	struct image_source again;
	int r = image_source_open(&source->ref, &again, err);

	if (r == 0 && strcmp(again.signature, source->signature) != 0)
		r = err_set(err, EBUSY, "it was changed while it was read");
	return r;
}

int image_source_build(const struct image_source *source, struct image_store *store,
		       struct image_record *ret, struct err *err)
{
	_cleanup_image_record_ struct image_record record = {0};
	struct image_temp temp = {.dirfd = -1};
	struct image_built built = {0};
	int r;

	image_store_sweep(store);
	r = image_store_make_temp(store, &temp, err);
	if (r == 0)
		r = build(source, &temp, &built, &record, err);
	if (r == 0)
		r = check_unchanged(source, err);
	if (r == 0) {
		memcpy(record.signature, source->signature, sizeof(record.signature));
		memcpy(record.hex, built.hex, sizeof(record.hex));
		record.size = built.size;
		record.created = (uint64_t)time(NULL);
		record.reference = strdup(source->reference);
		r = record.reference
			    ? image_store_publish(store, &temp, IMAGE_BUILD_FILE, &record, err)
			    : err_set(err, ENOMEM, "out of memory");
	}
	image_store_remove_temp(store, &temp);
	if (r == 0) {
		*ret = record;
		record = (struct image_record){0};
	}
	return r;
}
