/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of what a program says on its stderr, for the message that tells of its failure. It is read as
 * it comes, so that the program never waits for us, and only the newest bytes are kept. A process that the
 * program leaves behind may hold the pipe: nobody waits for its end of file, and after the close it has
 * no reader.
 */
#ifndef COMMON_STDERR_TAIL_H
#define COMMON_STDERR_TAIL_H

#include <stddef.h>

#include "common/err.h"

#define STDERR_TAIL_MAX 512

struct stderr_tail {
	int fd; /* where it is read, non-blocking; -1: closed */
	size_t n;
	char bytes[STDERR_TAIL_MAX];
};

/* *ret_fd is the program's end and the caller's. */
int stderr_tail_open(struct stderr_tail *tail, int *ret_fd);
/*
 * Takes what is there, at most what a pipe holds. 1: more may come; 0: the end of file; -errno. After the
 * program's exit one call sees all that it wrote.
 */
int stderr_tail_read(struct stderr_tail *tail);
void stderr_tail_close(struct stderr_tail *tail);

/* The same without a pipe: pure. */
void stderr_tail_add(struct stderr_tail *tail, const char *data, size_t n);
/* Puts ": " and the lines, joined by " | " and printable, behind err's message; nothing was said: no-op. */
void stderr_tail_tell(const struct stderr_tail *tail, struct err *err);

#endif
