/* SPDX-License-Identifier: Apache-2.0 */
/* What a bundle may ask for (docs/oci-spec.md has it field by field), as the runtime-spec's features. */
#ifndef SHIM_FEATURES_H
#define SHIM_FEATURES_H

#include <jansson.h>
#include <stdbool.h>

/*
 * A new reference; NULL: out of memory. cri: for a containerd, whose pods' user namespaces are the sandbox
 * container's, which the others join, with volumes mapped to match. That form is refused (namespace.c), so
 * neither half of it is announced.
 */
json_t *features_build(bool cri);

#endif
