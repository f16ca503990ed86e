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

/* Where a dying kernel says in a line why it dies, and where it was; the rest is its registers and call trace. */
static const char *find_cause(const char *line, size_t n)
{
	static const char *const words[] = {"Kernel panic",
					    "BUG:",
					    "Oops:",
					    "RIP: ",
					    "RSP: ",
					    "CR2: ",
					    "general protection fault"};
	const char *at = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(words) && !at; i++)
		at = memmem(line, n, words[i], strlen(words[i]));
	return at;
}

static size_t last_lines(const char *tail, size_t n)
{
	size_t lines = 0;

	while (n > 0 && !(tail[n - 1] == '\n' && ++lines == CONSOLE_LINES))
		n--;
	return n;
}

static size_t put(const char *text, size_t n, char *buf, size_t at, size_t max)
{
	for (size_t i = 0; i < n && at + 1 < max; i++)
		if (text[i] != '\r')
			buf[at++] = printable(text[i]);
	return at;
}

/* The causes among the lines, or all of them. */
static size_t put_lines(const char *tail, size_t n, bool causes, char *buf, size_t max)
{
	size_t at = 0;

	for (const char *line = tail, *next; line < tail + n; line = next) {
		const char *end = memchr(line, '\n', (size_t)(tail + n - line));
		const char *text = line;

		end = end ? end : tail + n;
		next = end + 1;
		end -= end > line && end[-1] == '\r';
		if (causes)
			text = find_cause(line, (size_t)(end - line));
		/* It says some of it twice. */
		if (!text || (causes && memmem(buf, at, text, (size_t)(end - text))))
			continue;
		if (at)
			at = put(" | ", 3, buf, at, max);
		at = put(text, (size_t)(end - text), buf, at, max);
	}
	return at;
}

size_t last_words_console(const char *tail, size_t n, char *buf, size_t max)
{
	size_t at = 0, start;

	n = trim_end(tail, n);
	if (n) {
		at = put_lines(tail, n, true, buf, max);
		start = last_lines(tail, n);
		if (!at)
			at = put_lines(tail + start, n - start, false, buf, max);
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
