/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/mountinfo.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool is_octal(const char *digits)
{
	return digits[0] >= '0' && digits[0] <= '3' && digits[1] >= '0' && digits[1] <= '7' &&
	       digits[2] >= '0' && digits[2] <= '7';
}

/* Blanks, newlines and backslashes of a path are three octal digits after a backslash. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

bool mountinfo_parse(char *line, struct mountinfo *ret)
{
	char *rest = NULL, *root, *target;
	int n = 0;

	if (sscanf(line, "%" SCNu64 " %*u %u:%u %n", &ret->id, &ret->major, &ret->minor, &n) != 3 ||
	    !n)
		return false;
	root = strtok_r(line + n, " \n", &rest);
	target = strtok_r(NULL, " \n", &rest);
	if (!root || !target)
		return false;
	unescape(root);
	unescape(target);
	ret->root = root;
	ret->target = target;
	return true;
}
