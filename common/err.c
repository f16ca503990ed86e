/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
	}
	return -code;
}

int err_set_errno(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (err) {
		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		n = strlen(err->msg);
		snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(code));
	}
	return -code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err || !err->code)
		return -EIO;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %.*s", (int)sizeof(old) - 1, old);
	return -err->code;
}

/* The first row of a gRPC code is the errno that stands for it on the way back. */
static const struct {
	int code;
	enum grpc_code grpc;
} table[] = {
	{EINVAL, GRPC_INVALID_ARGUMENT},   {ENOENT, GRPC_NOT_FOUND},
	{ESRCH, GRPC_NOT_FOUND},           {EEXIST, GRPC_ALREADY_EXISTS},
	{EBUSY, GRPC_FAILED_PRECONDITION}, {ENOSYS, GRPC_UNIMPLEMENTED},
	{EOPNOTSUPP, GRPC_UNIMPLEMENTED},  {ETIMEDOUT, GRPC_DEADLINE_EXCEEDED},
	{ECANCELED, GRPC_CANCELED},        {EPIPE, GRPC_UNAVAILABLE},
	{ECONNREFUSED, GRPC_UNAVAILABLE},  {ECONNRESET, GRPC_UNAVAILABLE},
	{E2BIG, GRPC_RESOURCE_EXHAUSTED},  {ENOBUFS, GRPC_RESOURCE_EXHAUSTED},
	{ENOMEM, GRPC_RESOURCE_EXHAUSTED}, {EPERM, GRPC_PERMISSION_DENIED},
	{EACCES, GRPC_PERMISSION_DENIED},  {ERANGE, GRPC_OUT_OF_RANGE},
};

enum grpc_code err_to_grpc(int code)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return table[i].grpc;
	return GRPC_UNKNOWN;
}

int err_from_grpc(int32_t code)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((int32_t)table[i].grpc == code)
			return table[i].code;
	return EIO;
}
