/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making an EROFS file, with umoci, skopeo and mkfs.erofs, in a build's directory:
 *
 *	layout/		an OCI layout: what skopeo fetched, or an index of one manifest beside a
 *			link to somebody else's blobs. So no path or tag of a person's ever becomes
 *			an argument that umoci would parse.
 *	rootfs/		the layers, unpacked by umoci
 *	image.erofs	the result
 *
 * Timestamps are zero and the UUID comes from the tree, so equal trees make equal files.
 */
#ifndef SHIM_IMAGE_BUILD_H
#define SHIM_IMAGE_BUILD_H

#include <stdint.h>

#include "common/err.h"
#include "shim/image_oci.h"
#include "shim/image_ref.h"
#include "shim/image_store.h"

#define IMAGE_BUILD_FILE   "image.erofs"
#define IMAGE_BUILD_LAYOUT "layout"

/* Whose the files of a directory become. */
enum image_owner {
	IMAGE_OWNER_KEEP,   /* whoever has them */
	IMAGE_OWNER_ROOT,   /* root: all of them are the user's */
	IMAGE_OWNER_USERNS, /* as seen from a user namespace with the user's subordinate ids */
};

struct image_built {
	char hex[IMAGE_HEX_MAX + 1];
	uint64_t size;
};

/* doing is for the progress line in each of these. */

/* Of the tree at path (absolute). */
int image_build_tree(const struct image_temp *temp, const char *path, enum image_owner owner,
		     const char *doing, struct image_built *ret, struct err *err);
/* Of the only image in the build's layout. */
int image_build_layout(const struct image_temp *temp, const char *doing, struct image_built *ret,
		       struct err *err);

/* Makes the build's layout of one manifest in the layout at path (absolute). */
int image_build_borrow(const struct image_temp *temp, const char *path,
		       const struct oci_descriptor *manifest, struct err *err);
/* Makes it by skopeo, of an archive (path absolute) or a registry's image. */
int image_build_fetch(const struct image_temp *temp, const struct image_ref *ref, const char *doing,
		      struct err *err);

#endif
