/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/last_words.h"

#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"

#define CONSOLE_LINES 8

static char printable(char c)
{
	return c >= 0x20 && c < 0x7f ? c : '?';
}

static size_t trim_end(const char *tail, size_t n)
{
	while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == '\r'))
		n--;
	return n;
}

/* A dying kernel's call trace would push what it said first out of sight. */
static size_t find_start(const char *tail, size_t n)
{
	static const char *const words[] = {"Kernel panic", "BUG:", "Oops:"};
	size_t lines = 0;

	for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
		const char *at = memmem(tail, n, words[w], strlen(words[w]));

		if (at)
			return (size_t)(at - tail);
	}
	while (n > 0 && !(tail[n - 1] == '\n' && ++lines == CONSOLE_LINES))
		n--;
	return n;
}

size_t last_words_console(const char *tail, size_t n, char *buf, size_t max)
{
	size_t at = 0;

	n = trim_end(tail, n);
	for (size_t i = n ? find_start(tail, n) : 0; i < n && at + 4 < max; i++) {
		if (tail[i] == '\n') {
			memcpy(buf + at, " | ", 3);
			at += 3;
		} else if (tail[i] != '\r') {
			buf[at++] = printable(tail[i]);
		}
	}
	buf[at] = '\0';
	return at;
}

static bool contains(const char *line, size_t n, const char *word)
{
	return memmem(line, n, word, strlen(word)) != NULL;
}

size_t last_words_log(const char *tail, size_t n, char *buf, size_t max)
{
	static const char head[] = " sbx-vmm: ";
	size_t at = 0;

	n = trim_end(tail, n);
	while (n > 0) {
		const char *line = memrchr(tail, '\n', n), *text;
		size_t len;

		line = line ? line + 1 : tail;
		len = (size_t)(tail + n - line);
		text = memmem(line, len, head, sizeof(head) - 1);
		if (text)
			text += sizeof(head) - 1;
		if (!contains(line, len, " shim: ")) {
			for (text = text ? text : line; text < line + len && at + 1 < max; text++)
				buf[at++] = printable(*text);
			break;
		}
		n = trim_end(tail, (size_t)(line - tail));
	}
	buf[at] = '\0';
	return at;
}
