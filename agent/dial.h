/* SPDX-License-Identifier: Apache-2.0 */
/* Connections from the guest to the pod's owner on the host. */
#ifndef AGENT_DIAL_H
#define AGENT_DIAL_H

#include <stdint.h>

/* A host with fifty guests on two CPUs is not dead. The kernel's own limit would be 2. */
#define DIAL_LIMIT_S 60

/*
 * Starts connecting to the host's port. Returns a non-blocking socket, which is writable once it is
 * connected; SO_ERROR tells.
 */
int dial_start(uint32_t port);

/* The same, waiting for the connection: at boot only. */
int dial_wait(uint32_t port);

#endif
