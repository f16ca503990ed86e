/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image says about how to run it: of OCI's image configuration (application/
 * vnd.oci.image.config.v1+json) the part that sbx honours. Pure; the text is the image's and not
 * trusted: sizes and counts are bounded, types checked, and what sbx does not know is passed over,
 * as the image-spec asks.
 */
#ifndef SHIM_IMAGE_CONFIG_H
#define SHIM_IMAGE_CONFIG_H

#include <jansson.h>
#include <stddef.h>

#include "common/err.h"

#define IMAGE_CONFIG_MAX_BYTES  (1u << 20)
#define IMAGE_CONFIG_MAX_ITEMS  1024
#define IMAGE_CONFIG_MAX_STRING (128u << 10) /* Linux's own bound on one argument */

/* All zero is valid for image_config_finish() only. Arrays end with NULL and are never NULL. */
struct image_config {
	char **entrypoint, **cmd, **env;
	char *user;    /* "": root */
	char *workdir; /* absolute */
};

/*
 * Reads an image's configuration. -EBADMSG where it is broken or for another machine than this,
 * with a line that starts with "image configuration".
 */
int image_config_parse(const char *text, size_t size, struct image_config *ret, struct err *err);
/* What a directory runs, which has no configuration: /bin/sh with docker's PATH. */
int image_config_default(struct image_config *ret);
void image_config_finish(struct image_config *config);

/* The form in which the store keeps it, an object with the members' names; and back. */
json_t *image_config_to_json(const struct image_config *config);
int image_config_from_json(json_t *object, struct image_config *ret, struct err *err);

/* The Go-style name of the machine that we run on: "amd64". */
const char *image_config_host_arch(void);

#endif
