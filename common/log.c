/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int log_fd = STDERR_FILENO, log_copy_fd = -1;
static enum log_level log_max = LOG_WARN;
static const char *log_program = "sbx";

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

void log_open(int fd, enum log_level level, const char *program)
{
	log_fd = fd;
	log_max = level;
	log_program = program;
}

void log_copy_to(int fd)
{
	log_copy_fd = fd;
}

bool log_enabled(enum log_level level)
{
	return level <= log_max;
}

/* One write(2) a line, so that lines of several threads and processes do not mix. */
static __attribute__((format(printf, 2, 0))) void emit(enum log_level level, const char *fmt,
						       va_list ap)
{
	char line[1400];
	struct timespec ts;
	struct tm tm;
	size_t n;
	int saved = errno;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s %s: ", ts.tv_nsec / 1000000,
			      level_names[level], log_program);
	errno = saved; /* for %m */
	vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n = strlen(line);
	/* A peer's text must not forge a line of its own or drive a terminal. */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	line[n++] = '\n';
	if (write(log_fd, line, n) < 0 ||
	    (log_copy_fd >= 0 && level <= LOG_WARN && write(log_copy_fd, line, n) < 0)) {
		/* Nowhere left to say it. */
	}
	errno = saved;
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	struct timespec ts;
	uint64_t now;
	va_list ap;

	if (!log_enabled(level))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	if (now - limit->window_ns > 1000000000u) {
		limit->window_ns = now;
		limit->count = 0;
	}
	if (limit->count >= LOG_LIMIT_BURST) {
		limit->dropped++;
		return;
	}
	limit->count++;
	if (limit->dropped) {
		uint32_t dropped = limit->dropped;

		limit->dropped = 0;
		log_msg(level, "%u messages like the next were left out", dropped);
	}
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", log_program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(125);
}
