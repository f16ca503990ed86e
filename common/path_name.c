/* SPDX-License-Identifier: Apache-2.0 */
#include "common/path.h"

#include <limits.h>
#include <string.h>

bool path_is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}
