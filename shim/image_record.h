/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store remembers of a reference: which file it became, of what state of its source, and
 * how to run it. The codec is pure.
 */
#ifndef SHIM_IMAGE_RECORD_H
#define SHIM_IMAGE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "shim/image_config.h"

#define IMAGE_HEX_MAX          64
#define IMAGE_SIGNATURE_MAX    192
#define IMAGE_RECORD_MAX_BYTES (2u << 20) /* a configuration, escaped */

struct image_record {
	char *reference; /* as image_ref_format() writes it, paths absolute */
	/*
	 * The source's state: "manifest sha256:..." | "tree ..." | "file ..." | "registry". Equal
	 * signatures, other than "registry", mean equal images.
	 */
	char signature[IMAGE_SIGNATURE_MAX];
	char hex[IMAGE_HEX_MAX + 1]; /* SHA-256 of the EROFS file */
	uint64_t size, created;      /* bytes; seconds of CLOCK_REALTIME */
	struct image_config config;
};

/* The JSON text, which the caller frees; NULL: out of memory, or not UTF-8. */
char *image_record_encode(const struct image_record *record);
/* -EBADMSG where it is none. */
int image_record_parse(const char *text, size_t size, struct image_record *ret, struct err *err);
void image_record_finish(struct image_record *record);

#define _cleanup_image_record_ __attribute__((cleanup(image_record_finish)))

#endif
