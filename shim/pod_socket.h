/* SPDX-License-Identifier: Apache-2.0 */
/* Where shims listen: RUN/s, a socket for each pod. */
#ifndef SHIM_POD_SOCKET_H
#define SHIM_POD_SOCKET_H

#include "common/err.h"

/* The directory, made where it is not there yet, and its path, where ret_path is not NULL. */
int pod_socket_dir(int *ret_dirfd, char **ret_path, struct err *err);

/* The name in it of a pod's socket: 33 bytes with the NUL. */
void pod_socket_name(const char *namespace, const char *id, char name[33]);

/* Removes a pod's socket. */
void pod_socket_remove(const char *namespace, const char *id);
/* The same where nobody listens on it: a shim that was killed before its pod had a directory. */
void pod_socket_remove_dead(const char *namespace, const char *id);

#endif
