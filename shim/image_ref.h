/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person calls an image, taken apart. Pure.
 *
 *	builtin
 *	erofs:PATH			a finished file, used as it is
 *	dir:PATH
 *	oci:PATH[:TAG]			TAG is what follows the last ':' of the last path component
 *	oci-archive:PATH
 *	docker-archive:PATH
 *	[HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST]	as docker reads it: HOST has a dot or a
 *				colon or is localhost; else docker.io, and library/ for a bare NAME
 *
 * What starts with '-' is refused everywhere, so that nothing of a reference can become an option
 * of a helper program.
 */
#ifndef SHIM_IMAGE_REF_H
#define SHIM_IMAGE_REF_H

#include <limits.h>

#include "common/err.h"

enum image_kind {
	IMAGE_BUILTIN,
	IMAGE_EROFS,
	IMAGE_DIR,
	IMAGE_OCI,
	IMAGE_OCI_ARCHIVE,
	IMAGE_DOCKER_ARCHIVE,
	IMAGE_REGISTRY,
};

#define IMAGE_TAG_MAX  128
#define IMAGE_NAME_MAX 512

struct image_ref {
	enum image_kind kind;
	/* A path as given, or a registry name with all defaults written out. */
	char path[PATH_MAX];
	char tag[IMAGE_TAG_MAX + 1]; /* of IMAGE_OCI; "": none given */
};

/* -EINVAL with a line that says what is wrong. */
int image_ref_parse(const char *text, struct image_ref *ret, struct err *err);

/* "oci:/srv/debian:latest": what image_ref_parse() would read as the same. Always NUL-terminated. */
#define IMAGE_REF_MAX (PATH_MAX + IMAGE_TAG_MAX + 32)
void image_ref_format(const struct image_ref *ref, char buf[IMAGE_REF_MAX]);

#endif
