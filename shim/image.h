/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: from what a person names to one read-only EROFS file and the image's configuration.
 *
 * A file that a struct image holds is locked against removal (a shared flock on fd). The lock
 * belongs to the open file, so it lasts as long as any process has it: whoever takes the path over
 * opens it with image_open() before the first holder lets go, and keeps that open as long as a VM
 * uses the file. The descriptor may itself be handed to the VM monitor.
 */
#ifndef SHIM_IMAGE_H
#define SHIM_IMAGE_H

#include <stdbool.h>

#include "common/err.h"

struct image {
	char *path; /* of the EROFS file, absolute */
	int fd;     /* the file, open to read and locked */
	char *id;   /* SHA-256 of the file, 64 hex digits; "builtin" for the built-in one */
	/* As in the image's configuration. The arrays end with NULL and are never NULL. */
	char **entrypoint, **cmd, **env;
	char *user;    /* "user[:group]", names or numbers; "" is root */
	char *workdir; /* absolute */
};

#define IMAGE_INIT                                                                                 \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * builtin | erofs:PATH | dir:PATH | oci:PATH[:TAG] | oci-archive:PATH | docker-archive:PATH | registry name.
 * Builds the file where the store has none yet, which may take minutes; progress goes to stderr.
 * ret is written on success only. -EINVAL: no reference; -ENOENT: nothing there; -EBADMSG: the
 * image is broken; -ENOPKG: a helper or a right to build it is missing; -EIO and others: a helper
 * failed. The message is one line in every case.
 */
int image_resolve(const char *reference, struct image *ret, struct err *err);

/* As image_resolve, but asks the registry again even where the image is in the store. */
int image_pull(const char *reference, struct image *ret, struct err *err);

/* Frees what ret holds and drops the lock. Fine on IMAGE_INIT, and twice. */
void image_finish(struct image *image);

#define _cleanup_image_ __attribute__((cleanup(image_finish)))

/* Opens an image file, or a block device, and locks a file: against removal, and where it is
 * writable against every other user. Returns the fd. */
int image_open(const char *path, bool writable, struct err *err);

#endif
