/* SPDX-License-Identifier: Apache-2.0 */
#include "common/strbuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_finish(struct strbuf *sb)
{
	free(sb->data);
	*sb = (struct strbuf){0};
}

static int reserve(struct strbuf *sb, size_t more)
{
	size_t need, cap;
	char *data;

	if (__builtin_add_overflow(sb->len, more, &need) || ++need == 0)
		return -ENOMEM;
	if (need <= sb->cap)
		return 0;
	cap = need < 64 ? 64 : need + need / 2;
	data = realloc(sb->data, cap);
	if (!data)
		return -ENOMEM;
	sb->data = data;
	sb->cap = cap;
	return 0;
}

int strbuf_add(struct strbuf *sb, const void *data, size_t n)
{
	int r = reserve(sb, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(sb->data + sb->len, data, n);
	sb->len += n;
	sb->data[sb->len] = '\0';
	return 0;
}

int strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	r = reserve(sb, (size_t)n);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf(sb->data + sb->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	sb->len += (size_t)n;
	return 0;
}

char *strbuf_take(struct strbuf *sb)
{
	char *s = sb->data ? sb->data : calloc(1, 1);

	*sb = (struct strbuf){0};
	return s;
}
