/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image comes from, found and looked at, but not read: its absolute name and a signature
 * that tells cheaply whether it is still what it was at the last build.
 */
#ifndef SHIM_IMAGE_SOURCE_H
#define SHIM_IMAGE_SOURCE_H

#include "common/err.h"
#include "shim/image_build.h"
#include "shim/image_record.h"
#include "shim/image_ref.h"
#include "shim/image_store.h"

#define IMAGE_SIGNATURE_REGISTRY "registry" /* says nothing; only pulling again does */

struct image_source {
	struct image_ref ref; /* paths absolute, links resolved */
	char reference[IMAGE_REF_MAX];
	char signature[IMAGE_SIGNATURE_MAX];
	enum image_owner owner; /* of a directory */
};

/* Not for IMAGE_BUILTIN. The message does not repeat the reference. */
int image_source_open(const struct image_ref *ref, struct image_source *ret, struct err *err);

/*
 * Builds the image in a fresh directory of the store and publishes it, with its record in *ret.
 * The caller holds the build lock.
 */
int image_source_build(const struct image_source *source, struct image_store *store,
		       struct image_record *ret, struct err *err);

#endif
