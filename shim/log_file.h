/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a detached sandbox's output goes to. However much that is, they hold the newest of it: what
 * is older is given back to the file system as a hole, so that nobody's place in the file moves.
 */
#ifndef SHIM_LOG_FILE_H
#define SHIM_LOG_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"

struct log_guard;
struct loop;

/* Of each stream, at least; a quarter more is there at times. */
#define LOG_FILE_KEEP (32u << 20)

/*
 * Leaves of fd, which is open for appending, the newest keep bytes. Where the file system knows no holes, all
 * is cut off. 0 or -errno.
 */
int log_file_trim(int fd, uint64_t keep);

/*
 * The same for a file that others write to, whoever they are: it is looked after whenever it has changed, and
 * is never much more than keep bytes and a quarter. fd is borrowed. 0 or -errno.
 */
int log_guard_create(struct loop *loop, int fd, uint64_t keep, struct log_guard **ret);
void log_guard_destroy(struct log_guard *guard);
DEFINE_CLEANUP(struct log_guard, log_guard_destroy)

/* As read(2), of what is there: holes are passed over, and so is what has been cut off. */
ssize_t log_file_read(int fd, void *buf, size_t size);

#endif
