/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_build.h"

#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/image_config.h"
#include "shim/image_job.h"
#include "shim/image_tool.h"
#include "shim/image_tree.h"
#include "shim/image_userns.h"

#define ROOTFS       "rootfs"
#define LAYOUT_IMAGE IMAGE_BUILD_LAYOUT ":" OCI_ONLY_TAG
#define LAYOUT_FILE  "{\"imageLayoutVersion\":\"1.0.0\"}\n"

/* What a build's child is given, and what it gives back. */
struct build {
	const char *tree;
	bool unpack, all_root;
	struct image_built built;
};

static int run_mkfs(const struct build *build, const char *uuid, struct err *err)
{
	const char *argv[10] = {"mkfs.erofs", "--quiet", "-T0", "-U", uuid};
	size_t n = 5;

	if (build->all_root)
		argv[n++] = "--all-root";
	argv[n++] = "--";
	argv[n++] = IMAGE_BUILD_FILE;
	argv[n++] = build->tree;
	return image_tool_run(argv, err);
}

static int measure(struct image_built *built, struct err *err)
{
	struct stat st;

	if (!SHA256File(IMAGE_BUILD_FILE, built->hex) || stat(IMAGE_BUILD_FILE, &st) < 0)
		return err_set_errno(err, errno, IMAGE_BUILD_FILE);
	built->size = (uint64_t)st.st_size;
	return 0;
}

/* In the job's child, in the build's directory. */
static int run_build(void *arg, struct err *err)
{
	static const char image[] = LAYOUT_IMAGE;
	static const char *const umoci[] = {"umoci", "raw",  "unpack", "--image",
					    image,   ROOTFS, NULL};
	struct build *build = arg;
	struct image_tree tree;
	int r = build->unpack ? image_tool_run(umoci, err) : 0;

	if (r == 0)
		r = image_tree_scan(build->tree, NULL, build->all_root, &tree, err);
	if (r == 0)
		r = run_mkfs(build, tree.uuid, err);
	if (r == 0)
		r = measure(&build->built, err);
	return r;
}

static int build(struct build *build, const struct image_temp *temp, bool in_userns,
		 const char *doing, struct image_built *ret, struct err *err)
{
	struct image_userns ns;
	struct image_job job = {.run = run_build,
				.arg = build,
				.result = &build->built,
				.result_size = sizeof(build->built),
				.dirfd = temp->dirfd,
				.doing = doing};
	int r = 0;

	if (in_userns) {
		r = image_userns_find(&ns, err);
		job.userns = &ns;
	}
	if (r == 0)
		r = image_job_run(&job, err);
	if (r == 0)
		*ret = build->built;
	return r;
}

int image_build_tree(const struct image_temp *temp, const char *path, enum image_owner owner,
		     const char *doing, struct image_built *ret, struct err *err)
{
	struct build b = {.tree = path, .all_root = owner == IMAGE_OWNER_ROOT};

	return build(&b, temp, owner == IMAGE_OWNER_USERNS, doing, ret, err);
}

int image_build_layout(const struct image_temp *temp, const char *doing, struct image_built *ret,
		       struct err *err)
{
	struct build b = {.tree = ROOTFS, .unpack = true};

	return build(&b, temp, geteuid() != 0, doing, ret, err);
}

int image_build_borrow(const struct image_temp *temp, const char *path,
		       const struct oci_descriptor *manifest, struct err *err)
{
	_cleanup_free_ char *index = oci_index_of_one(manifest), *blobs = NULL;
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (!index || asprintf(&blobs, "%s/blobs", path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	if (mkdirat(temp->dirfd, IMAGE_BUILD_LAYOUT, 0700) < 0)
		return err_set_errno(err, errno, IMAGE_BUILD_LAYOUT);
	fd = openat(temp->dirfd, IMAGE_BUILD_LAYOUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || symlinkat(blobs, fd, "blobs") < 0)
		r = -errno;
	if (r == 0)
		r = io_write_atomic(fd, "oci-layout", LAYOUT_FILE, strlen(LAYOUT_FILE), 0600);
	if (r == 0)
		r = io_write_atomic(fd, "index.json", index, strlen(index), 0600);
	return r < 0 ? err_set_errno(err, -r, IMAGE_BUILD_LAYOUT) : 0;
}

static int run_fetch(void *arg, struct err *err)
{
	static const char target[] = "oci:" LAYOUT_IMAGE;
	/* Its own temporary files go with the build's directory, also after a crash. */
	const char *argv[] = {"skopeo",
			      "--tmpdir",
			      ".",
			      "--override-os",
			      "linux",
			      "--override-arch",
			      image_config_host_arch(),
			      "copy",
			      "--quiet",
			      "--",
			      arg,
			      target,
			      NULL};

	return image_tool_run(argv, err);
}

int image_build_fetch(const struct image_temp *temp, const struct image_ref *ref, const char *doing,
		      struct err *err)
{
	_cleanup_free_ char *source = NULL;
	struct image_job job = {.run = run_fetch, .dirfd = temp->dirfd, .doing = doing};
	const char *transport = ref->kind == IMAGE_REGISTRY      ? "docker://"
				: ref->kind == IMAGE_OCI_ARCHIVE ? "oci-archive:"
								 : "docker-archive:";

	/* skopeo would take what follows it for a name inside the archive. */
	if (ref->kind != IMAGE_REGISTRY && strchr(ref->path, ':'))
		return err_set(err, EINVAL, "an archive's path may not hold a ':'");
	if (asprintf(&source, "%s%s", transport, ref->path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	job.arg = source;
	return image_job_run(&job, err);
}
