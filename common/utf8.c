/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.h"

#include <stddef.h>
#include <stdint.h>

struct lead {
	uint8_t first, last; /* of the first byte */
	uint8_t next_min,
		next_max; /* of the second: neither overlong, nor a surrogate, nor beyond U+10FFFF */
	size_t size;
};

static const struct lead leads[] = {
	{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* The size of the character that at begins with; 0: none. The text's NUL continues nothing. */
static size_t character(const uint8_t *at)
{
	const struct lead *lead = leads;
	size_t n = 2;

	while (at[0] < lead->first || at[0] > lead->last)
		if (++lead == leads + sizeof(leads) / sizeof(leads[0]))
			return 0;
	if (lead->size > 1 && (at[1] < lead->next_min || at[1] > lead->next_max))
		return 0;
	while (n < lead->size && at[n] >= 0x80 && at[n] <= 0xbf)
		n++;
	return n < lead->size ? 0 : lead->size;
}

void utf8_clean(char *text)
{
	for (uint8_t *at = (uint8_t *)text; *at;) {
		size_t n = character(at);

		if (!n)
			*at = '?';
		at += n ? n : 1;
	}
}
