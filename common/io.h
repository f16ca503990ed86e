/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads and writes, small files, and descriptors over Unix sockets. Everything opened here
 * is O_CLOEXEC.
 */
#ifndef COMMON_IO_H
#define COMMON_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

/* Exactly n bytes or an error; -ENODATA where the end of file came first. Retries EINTR. */
int io_read_full(int fd, void *buf, size_t n);
int io_write_full(int fd, const void *buf, size_t n);

/*
 * Reads a whole file of at most max bytes into a fresh buffer that the caller frees. A NUL byte
 * follows the data. -EFBIG where it is larger. dirfd may be AT_FDCWD.
 */
int io_read_file(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_size);

/* Writes one value into an existing file such as a cgroup's or /proc's, in one write(2). */
int io_write_value(int dirfd, const char *path, const char *value);

/* Creates or replaces dirfd/name with mode by a hidden temporary file and rename(2). */
int io_write_atomic(int dirfd, const char *name, const void *data, size_t size, mode_t mode);

int io_set_nonblock(int fd, bool on);

/*
 * A reader that goes away, and a limit to files' sizes that our caller has (RLIMIT_FSIZE), are errors of write(2)
 * and no silent deaths: SIGPIPE and SIGXFSZ are ignored. An exec keeps that, so who starts another program restores
 * both between fork and exec.
 */
void io_ignore_signals(void);
void io_restore_signals(void);

/* mkdir -p; every directory made gets mode. */
int io_mkdirs(const char *path, mode_t mode);

/* Removes path beneath dirfd with all that is in it; does not cross file systems or follow links.
 */
int io_remove_tree(int dirfd, const char *path);

#define IO_MAX_FDS 16

/*
 * Stream Unix sockets by path, also where dir is longer than sun_path allows: dirfd/name. The
 * listening socket is made with mode 0600. An existing socket there is -EADDRINUSE.
 */
int sock_listen_at(int dirfd, const char *name, int backlog, int *ret_fd);
int sock_connect_at(int dirfd, const char *name, int *ret_fd);

/* -EPERM unless the peer has our own effective uid, or is root. */
int sock_check_peer(int fd);

/*
 * As sendmsg/recvmsg with up to IO_MAX_FDS descriptors. Sending keeps the caller's descriptors.
 * Received ones are O_CLOEXEC and the caller's; *ret_nfds is what came. A truncated control message
 * closes all of them and is -EPROTO.
 */
ssize_t sock_send(int fd, const void *buf, size_t n, const int *fds, size_t nfds, int flags);
ssize_t sock_recv(int fd, void *buf, size_t n, int fds[IO_MAX_FDS], size_t *ret_nfds, int flags);

#endif
