/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's log: one line a message, "time level program: text", to a descriptor. Library code
 * does not log. What a guest triggers goes through a log_limit, so that a guest cannot fill a disk.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Logs to fd (borrowed) from now on, under the given program name. Before: stderr, LOG_WARN. */
void log_open(int fd, enum log_level level, const char *program);
/* Warnings and errors also go to fd (borrowed, may refuse to take them); -1: no more. */
void log_copy_to(int fd);
bool log_enabled(enum log_level level);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

/* At most burst messages per second; the next one that passes says how many were left out. */
struct log_limit {
	uint64_t window_ns;
	uint32_t count;
	uint32_t dropped;
};

#define LOG_LIMIT_BURST 10

void log_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Set-up code of a main() only, before the first untrusted byte: one line, then exit(125). */
void fatal(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
