/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error that a person may read: a code and one line, made once, at the leaf where it happened.
 *
 * Functions return >= 0 or -errno. Those whose failure a person may read take a struct err last,
 * which lives on the caller's stack and is filled exactly when the function fails. NULL is
 * allowed everywhere and means that nobody will read it. Across a process or the VM boundary an
 * error travels as a gRPC status {code, text}; see rpc.h.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdint.h>

struct err {
	int code; /* a positive errno, 0: no error */
	char msg[1024];
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.code = 0                                                                          \
	}

/* Sets code (a positive errno) and text. Returns -code, so that "return err_set(...)" reads well.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, followed by ": " and the text of code. */
int err_set_errno(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Puts text and ": " before the message; once per process hop at most. Returns -err->code, or -EIO
 * where err is NULL or not set.
 */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* gRPC status codes that containerd understands, and the errno each one stands for. */
enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
};

/*
 * EINVAL InvalidArgument, ENOENT and ESRCH NotFound, EEXIST AlreadyExists, EBUSY
 * FailedPrecondition, ENOSYS Unimplemented, ETIMEDOUT DeadlineExceeded, ECANCELED Canceled, EPIPE
 * ECONNREFUSED ECONNRESET Unavailable, E2BIG ENOBUFS ENOMEM ResourceExhausted, EPERM EACCES
 * PermissionDenied; anything else Unknown.
 */
enum grpc_code err_to_grpc(int code);

/* The errno that stands for a gRPC code from a peer; EIO for one that has none. Never 0. */
int err_from_grpc(int32_t code);

#endif
