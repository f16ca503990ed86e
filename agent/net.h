/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces of the calling process's network namespace. */
#ifndef AGENT_NET_H
#define AGENT_NET_H

/* 0 or -errno. */
int net_loopback_up(void);

#endif
