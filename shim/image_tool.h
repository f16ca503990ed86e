/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helper programs: umoci, skopeo, mkfs.erofs, newuidmap. Executed directly, never by a shell, with
 * nothing open but the standard streams; found by PATH, or in the system's sbin directories.
 */
#ifndef SHIM_IMAGE_TOOL_H
#define SHIM_IMAGE_TOOL_H

#include <stdbool.h>

#include "common/err.h"

/*
 * Runs argv (ends with NULL) to its end. It is killed when we die. -ENOPKG where it is not
 * installed, -EIO where it failed: the message is the last line that it wrote.
 */
int image_tool_run(const char *const *argv, struct err *err);

bool image_tool_exists(const char *name);
/* Its path, which the caller frees. -ENOENT where it is not installed. */
int image_tool_find(const char *name, char **ret);

/* Makes text from a program or an image fit for one line: no control characters. In place. */
void image_tool_clean(char *text);

#endif
