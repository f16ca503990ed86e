/* SPDX-License-Identifier: Apache-2.0 */
/* The two commands that containerd, and sbx in its place, runs the shim's binary with. */
#ifndef SHIM_SHIM_BOOT_H
#define SHIM_SHIM_BOOT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "shim/pod_dir.h"

/* As containerd gives them. */
struct shim_flags {
	const char *namespace, *id, *bundle, *address, *publish_binary;
	bool debug, info, version;
};

/*
 * From sbx to the shim that it starts, numbers of descriptors: the pod's lock, held, and a connected
 * socket that the shim serves from the start. So there is no moment at which the pod belongs to
 * nobody, or at which the shim could miss that its client died.
 */
#define SHIM_ENV_LOCK   "SBX_LOCK_FD"
#define SHIM_ENV_CLIENT "SBX_CLIENT_FD"

/*
 * Makes the pod's directory and socket and a daemon that serves it. In the caller: prints the
 * socket's address and returns 0. In the daemon: returns its exit code when the pod has ended, and
 * sets *ret_daemon.
 */
int shim_start(const struct shim_flags *flags, bool *ret_daemon, struct err *err);

/* The pod that a container belongs to; sbx's own pods have one container, whose id is theirs. */
int shim_find_group(const struct shim_flags *flags, const char *bundle, char ret[POD_ID_MAX + 1],
		    struct err *err);

/* What containerd writes on standard input, to its end. *ret is freed by the caller. */
int shim_read_input(char **ret, size_t *ret_size, struct err *err);

/* -info: options come in, a RuntimeInfo goes out. */
int shim_info(struct err *err);

/* Cleans up after a shim that died: ends what may be left, prints a DeleteResponse. */
int shim_delete(const struct shim_flags *flags, struct err *err);

#endif
