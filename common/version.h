/* SPDX-License-Identifier: Apache-2.0 */
/* The product's version, and the build id that peers show each other; both set by the Makefile. */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

extern const char sbx_version[];
extern const char sbx_build_id[];

#endif
