/* SPDX-License-Identifier: Apache-2.0 */
/* How create and run make a container. */
#ifndef SHIM_OCI_LAUNCH_H
#define SHIM_OCI_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/cli_pod.h"
#include "shim/cli_session.h"
#include "shim/oci.h"
#include "shim/oci_record.h"
#include "shim/spec.h"

/* The options that both have. */
struct oci_launch_options {
	const char *bundle, *console_socket, *pid_file, *pidfd_socket;
	uint64_t preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper, keep, detach, help;
};

#define OCI_LAUNCH_ROWS(strct)                                                                     \
	CLI_OPT(strct, 'b', "bundle", STRING, bundle, "DIR",                                       \
		"the bundle's directory (default: this one)"),                                     \
		CLI_OPT(strct, 0, "console-socket", STRING, console_socket, "SOCKET",              \
			"where the terminal's master goes"),                                       \
		CLI_OPT(strct, 0, "pid-file", STRING, pid_file, "FILE",                            \
			"write the stand-in's pid there"),                                         \
		CLI_OPT(strct, 0, "pidfd-socket", STRING, pidfd_socket, "SOCKET",                  \
			"where a pidfd of the stand-in goes"),                                     \
		CLI_OPT(strct, 0, "preserve-fds", UINT, preserve_fds, "N",                         \
			"more descriptors for the process: none can cross into a VM"),             \
		CLI_OPT(strct, 0, "no-pivot", FLAG, no_pivot, NULL, "without meaning in a VM"),    \
		CLI_OPT(strct, 0, "no-new-keyring", FLAG, no_new_keyring, NULL,                    \
			"without meaning in a VM, whose keys are nobody else's")

/* A container in the making. OCI_LAUNCH_INIT is an empty one. */
struct oci_launch {
	const struct oci *oci;
	const struct oci_launch_options *options;
	const char *id;
	char *bundle, *rootfs; /* absolute */
	struct spec *spec;
	struct oci_record record;
	char pod[POD_ID_MAX + 1];
	struct cli_shim shim;
	int lock_fd;       /* while it is being created; -1: not */
	bool onlcr;        /* newlines of its terminal are for ours to make CR LF of */
	bool stored, made; /* what there is to undo */
};

/* Reads the bundle, takes the id, and gets the pod's shim. Nothing of it is left on failure. */
int oci_launch_begin(struct oci_launch *launch, struct err *err);

/*
 * Creates the container with these streams, and its stand-in; terminal is for the stand-in to follow, or
 * -1. Nothing of it is left on failure.
 */
int oci_launch_create(struct oci_launch *launch, const struct session_streams *streams,
		      int terminal, struct err *err);

/* Lets the created container's process run. */
int oci_launch_start(struct oci_launch *launch, struct err *err);

/* Deletes the container, whatever it does. */
void oci_launch_undo(struct oci_launch *launch);

/* Frees; the container stays as it is. */
void oci_launch_finish(struct oci_launch *launch);

/* process.terminal of the bundle. */
bool oci_launch_wants_terminal(const struct oci_launch *launch);

#endif
