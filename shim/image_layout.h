/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI image layout on disk: the way from a tag to one manifest and its configuration. Documents
 * are checked against their digests; layers are only looked for, umoci checks them as it unpacks.
 */
#ifndef SHIM_IMAGE_LAYOUT_H
#define SHIM_IMAGE_LAYOUT_H

#include "common/err.h"
#include "shim/image_config.h"
#include "shim/image_oci.h"

struct image_layout {
	struct oci_descriptor manifest;
	struct image_config config;
};

/*
 * tag as in oci_index_pick(). -ENOENT: no layout, no such tag, a blob is missing; -EBADMSG: broken.
 * Reads a few kilobytes and looks at every layer's size.
 */
int image_layout_open(int dirfd, const char *tag, struct image_layout *ret, struct err *err);
/* The manifest alone: all that a second use of an image needs. */
int image_layout_find(int dirfd, const char *tag, struct oci_descriptor *ret_manifest,
		      struct err *err);
void image_layout_finish(struct image_layout *layout);

#endif
