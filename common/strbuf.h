/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string. All zero is a valid empty one; strbuf_finish() frees. Out of memory: -ENOMEM.
 */
#ifndef COMMON_STRBUF_H
#define COMMON_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *data; /* NUL-terminated once something was added; NULL before */
	size_t len, cap;
};

void strbuf_finish(struct strbuf *sb);
int strbuf_add(struct strbuf *sb, const void *data, size_t n);
int strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The string, which the caller frees; never NULL but out of memory. sb is empty afterwards. */
char *strbuf_take(struct strbuf *sb);

#define _cleanup_strbuf_ __attribute__((cleanup(strbuf_finish)))

#endif
