/* SPDX-License-Identifier: Apache-2.0 */
/* vsock ports on which the shim waits for the guest: <vsock socket>_<port> on the host. */
#ifndef COMMON_PORTS_H
#define COMMON_PORTS_H

#define PORT_AGENT  1024 /* the agent's RPC connection, dialled once at boot */
#define PORT_STREAM 1025 /* one connection per process stream; opens with its id, 8 bytes LE */

/* The socket's name, in the directory of the VM's vsock. */
#define PORT_SOCKET(port) "vsock_" PORT_TEXT(port)
#define PORT_TEXT(port)   #port

#endif
