/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "common/io.h"
#include "shim/oci.h"

void oci_format_time(const struct timespec *at, char ret[40])
{
	struct tm tm;
	size_t n;

	gmtime_r(&at->tv_sec, &tm);
	n = strftime(ret, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, 40 - n, ".%09ldZ", at->tv_nsec);
}

/* Some of it may be the guest's words: they drive no terminal, and forge no line. */
static void make_printable(const char *msg, char *ret, size_t size)
{
	size_t n = 0;

	for (; msg[n] && n + 1 < size; n++)
		ret[n] = (unsigned char)msg[n] < ' ' || msg[n] == 0x7f ? '?' : msg[n];
	ret[n] = '\0';
}

static char *text_line(const char *when, const char *level, const char *msg)
{
	char *quoted = NULL, *line = NULL;
	json_t *value = json_stringn_nocheck(msg, strlen(msg));

	/* A JSON string is quoted as logfmt's are. */
	if (value)
		quoted = json_dumps(value, JSON_ENCODE_ANY);
	json_decref(value);
	if (quoted && asprintf(&line, "time=\"%s\" level=%s msg=%s\n", when, level, quoted) < 0)
		line = NULL;
	free(quoted);
	return line;
}

static char *json_line(const char *when, const char *level, const char *msg)
{
	json_t *root = json_pack("{s:s,s:s,s:s}", "level", level, "msg", msg, "time", when);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL, *line = NULL;

	json_decref(root);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

char *oci_log_line(bool json, const char *level, const char *msg, const struct timespec *at)
{
	char clean[sizeof(((struct err *)NULL)->msg)], when[40];
	char *line;

	make_printable(msg, clean, sizeof(clean));
	oci_format_time(at, when);
	line = json ? json_line(when, level, clean) : text_line(when, level, clean);
	/* Bytes that are not UTF-8 have no JSON form. */
	for (size_t i = 0; !line && clean[i]; i++)
		if ((unsigned char)clean[i] >= 0x80)
			clean[i] = '?';
	if (line)
		return line;
	return json ? json_line(when, level, clean) : text_line(when, level, clean);
}

static void append(const struct oci *oci, const char *level, const char *msg)
{
	bool json = oci->log_format && strcmp(oci->log_format, "json") == 0;
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line = oci_log_line(json, level, msg, &now);
	fd = open(oci->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0 || !line || io_write_full(fd, line, strlen(line)) < 0)
		fprintf(stderr, "sbx-oci: --log %s: cannot be written\n", oci->log);
}

void oci_log_error(const struct oci *oci, const char *msg)
{
	char clean[sizeof(((struct err *)NULL)->msg)];

	make_printable(msg, clean, sizeof(clean));
	fprintf(stderr, "sbx-oci: %s\n", clean);
	if (oci->log)
		append(oci, "error", clean);
}

void oci_log_warning(const struct oci *oci, const char *msg)
{
	char clean[sizeof(((struct err *)NULL)->msg)];

	make_printable(msg, clean, sizeof(clean));
	if (oci->log)
		append(oci, "warning", clean);
	else
		fprintf(stderr, "sbx-oci: warning: %s\n", clean);
}
