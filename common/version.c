/* SPDX-License-Identifier: Apache-2.0 */
#include "common/version.h"

#ifndef SBX_BUILD_ID
#define SBX_BUILD_ID "unknown"
#endif

const char sbx_version[] = SBX_VERSION;
const char sbx_build_id[] = SBX_BUILD_ID;
