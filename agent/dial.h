/* SPDX-License-Identifier: Apache-2.0 */
/* Connections from the guest to the pod's owner on the host. */
#ifndef AGENT_DIAL_H
#define AGENT_DIAL_H

#include <stdint.h>

/*
 * Starts connecting to the host's port. Returns a non-blocking socket, which is writable once it is
 * connected; SO_ERROR tells.
 */
int dial_start(uint32_t port);

/* The same, waiting for the connection: at boot only. */
int dial_wait(uint32_t port, int timeout_ms);

#endif
