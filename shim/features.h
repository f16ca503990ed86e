/* SPDX-License-Identifier: Apache-2.0 */
/* What a bundle may ask for (docs/oci-spec.md has it field by field), as the runtime-spec's features. */
#ifndef SHIM_FEATURES_H
#define SHIM_FEATURES_H

#include <jansson.h>

/* A new reference; NULL: out of memory. */
json_t *features_build(void);

#endif
