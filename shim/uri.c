/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *uri_decode(const char *from, const char *end, bool plus, char **into)
{
	char *word = *into, *to = word;

	while (from < end) {
		int high = *from == '%' && end - from > 2 ? hex(from[1]) : -1;
		int low = high >= 0 ? hex(from[2]) : -1;

		if (*from == '%') {
			if (low < 0 || high * 16 + low == 0)
				return NULL;
			*to++ = (char)(high * 16 + low);
			from += 3;
		} else {
			*to++ = plus && *from == '+' ? ' ' : *from;
			from++;
		}
	}
	*to++ = '\0';
	*into = to;
	return word;
}

int uri_file_path(const char *uri, char **ret, struct err *err)
{
	size_t scheme = strlen(URI_FILE), size = strlen(uri);
	_cleanup_free_ char *path = NULL;
	char *into;

	if (size > URI_MAX || strncmp(uri, URI_FILE, scheme) != 0)
		return err_set(err, EINVAL, "stream %.64s…: not a file's, or too long", uri);
	uri += scheme;
	into = path = malloc(size - scheme + 1);
	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	if (!uri_decode(uri, uri + strcspn(uri, "?#"), false, &into) || path[0] != '/')
		return err_set(err, EINVAL, "stream file://%.200s: not an absolute path", uri);
	*ret = TAKE_PTR(path);
	return 0;
}
