/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCI image-spec documents: the index of a layout, and manifests. Pure. They are the image's and
 * not trusted: counts are bounded, digests are checked to be nothing but digests, so that they can
 * be file names.
 */
#ifndef SHIM_IMAGE_OCI_H
#define SHIM_IMAGE_OCI_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define OCI_DOCUMENT_MAX  (4u << 20) /* of an index or manifest, as registries have it */
#define OCI_MANIFESTS_MAX 1024
#define OCI_LAYERS_MAX    512

#define OCI_DIGEST_HEX 64

struct oci_descriptor {
	char hex[OCI_DIGEST_HEX + 1]; /* of its SHA-256 */
	uint64_t size;
	char media_type[96];
};

struct oci_manifest {
	struct oci_descriptor config;
	struct oci_descriptor layers[OCI_LAYERS_MAX];
	size_t n_layers;
};

/*
 * Picks from an index: with tag, the entry of that name (org.opencontainers.image.ref.name); with
 * "", the only entry, or else the one of name "latest"; with NULL (an index within an index), any.
 * Among several, the one for this machine. -ENOENT where there is none: the message lists names.
 */
int oci_index_pick(const char *text, size_t size, const char *tag, struct oci_descriptor *ret,
		   struct err *err);

/* What a descriptor's media type says it is. */
int oci_is_index(const struct oci_descriptor *descriptor);
int oci_is_manifest(const struct oci_descriptor *descriptor);

int oci_manifest_parse(const char *text, size_t size, struct oci_manifest *ret, struct err *err);

/*
 * The index of a layout that holds nothing but this manifest, under the name OCI_ONLY_TAG; the
 * caller frees it. NULL: out of memory.
 */
#define OCI_ONLY_TAG "image"
char *oci_index_of_one(const struct oci_descriptor *manifest);

#endif
