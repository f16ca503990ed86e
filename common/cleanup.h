/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cleanup attributes and the explicit take. "No fd" is -1, never 0; every destructor takes NULL.
 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines f##_p(), so that _cleanup_(f_p) calls f on a pointer variable that leaves its scope. */
#define DEFINE_CLEANUP(type, f)                                                                    \
	static inline void f##_p(type **p)                                                         \
	{                                                                                          \
		f(*p);                                                                             \
	}

/* Closes *fd if it is one and sets it to -1. errno is kept. */
static inline void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void free_p(void *p)
{
	free(*(void **)p);
}

static inline void fclose_p(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline int take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#define _cleanup_close_  _cleanup_(close_fd)
#define _cleanup_free_   _cleanup_(free_p)
#define _cleanup_fclose_ _cleanup_(fclose_p)

#define TAKE_FD(fd) take_fd(&(fd))
#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) _taken = (p);                                                        \
		(p) = NULL;                                                                        \
		_taken;                                                                            \
	})

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#endif
