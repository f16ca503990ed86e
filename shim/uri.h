/* SPDX-License-Identifier: Apache-2.0 */
/* The URIs by which containerd names where output goes (RFC 3986); pure. */
#ifndef SHIM_URI_H
#define SHIM_URI_H

#include <stdbool.h>

#include "common/err.h"

#define URI_MAX  4096
#define URI_FILE "file://"

/*
 * Decodes from..end to *into, which is moved on behind the word's NUL and needs a byte more than what is
 * decoded. plus: a '+' is a space. NULL: malformed, or with a NUL in it.
 */
const char *uri_decode(const char *from, const char *end, bool plus, char **into);

/* The absolute path of file:///PATH, without query and fragment; the caller's. -EINVAL. */
int uri_file_path(const char *uri, char **ret, struct err *err);

#endif
