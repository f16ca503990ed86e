/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of the host that takes a process's output: binary:///PATH?KEY=VALUE&…, as containerd has it.
 * It gets KEY and VALUE as arguments, pair by pair, stdout as descriptor 3, stderr as 4, in 5 the end of
 * a pipe that it closes when it is ready, and CONTAINER_ID and CONTAINER_NAMESPACE as its environment.
 */
#ifndef SHIM_BINARY_LOG_H
#define SHIM_BINARY_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct binary_log;
struct loop;

#define BINARY_LOG_SCHEME   "binary://"
#define BINARY_LOG_MAX_ARGS 64

struct binary_log_args {
	char *block; /* of all words */
	const char *argv[BINARY_LOG_MAX_ARGS + 2];
	size_t n;
};

/* The command of a URI; argv[0] is the program's absolute path. Pure. -EINVAL. */
int binary_log_parse(const char *uri, struct binary_log_args *ret, struct err *err);
void binary_log_args_finish(struct binary_log_args *args);

/*
 * Starts it. ret_fds are where stdout and stderr are written to, the caller's; it does not end before
 * they are closed. Then it has BINARY_LOG_GRACE_NS to end by itself, and is told, and then killed.
 */
int binary_log_start(struct loop *loop, const char *uri, const char *id, const char *namespace,
		     int ret_fds[2], struct binary_log **ret, struct err *err);
/* No more will be written. It is freed when the program has ended, or with us. NULL is a no-op. */
void binary_log_end(struct binary_log *log);

#define BINARY_LOG_GRACE_NS (12 * 1000000000ull)

#endif
