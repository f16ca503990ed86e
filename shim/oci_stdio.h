/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of a process that outlives sbx-oci: our own standard streams, or a terminal whose
 * master goes to a console socket. The shim gets the descriptors and does the relaying.
 */
#ifndef SHIM_OCI_STDIO_H
#define SHIM_OCI_STDIO_H

#include "common/err.h"
#include "shim/cli_session.h"
#include "shim/spec.h"

/* OCI_STDIO_INIT is an empty one. */
struct oci_stdio {
	struct session_streams streams; /* what goes with Create or Exec */
	int fds[3];                     /* ours, the same */
	int terminal;                   /* the near end of the terminal; -1: none */
};

#define OCI_STDIO_INIT                                                                             \
	{                                                                                          \
		.fds = {-1, -1, -1}, .terminal = -1                                                \
	}

/* Our own standard streams, under open files that are not shared with whoever started us. */
int oci_stdio_open(struct oci_stdio *ret, struct err *err);

/*
 * A new terminal, raw: the guest's own does the rest. Its master is sent to the socket. size (may be
 * NULL) is the size that it begins with.
 */
int oci_stdio_open_terminal(const char *console_socket, const struct spec_console_size *size,
			    struct oci_stdio *ret, struct err *err);

void oci_stdio_close(struct oci_stdio *stdio);

/* Whether --console-socket fits what the process wants, for one that is left to itself. */
int oci_stdio_check(bool terminal, const char *console_socket, struct err *err);

#define _cleanup_oci_stdio_ __attribute__((cleanup(oci_stdio_close)))

#endif
