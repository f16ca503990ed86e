/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's sockets that a descriptor goes to, with a word of what it is, as runc has them. */
#ifndef SHIM_OCI_SOCKET_H
#define SHIM_OCI_SOCKET_H

#include <sys/types.h>

#include "common/err.h"

/* option is whose socket it is, for the message; path may be longer than an address. fd stays the caller's. */
int oci_socket_send(const char *option, const char *path, const char *word, int fd,
		    struct err *err);

/* A pidfd of a child of ours, or of ourselves, for --pidfd-socket. path NULL: nothing. */
int oci_socket_send_pidfd(const char *path, pid_t pid, struct err *err);

#endif
