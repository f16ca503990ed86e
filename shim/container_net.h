/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of a container that is alone in its pod and has a network namespace of its own without a path:
 * what its client has put into that of the task's pid.
 */
#ifndef SHIM_CONTAINER_NET_H
#define SHIM_CONTAINER_NET_H

#include <stdbool.h>

struct container;
struct err;

/* err NULL: it has its network, or there is none. */
typedef void (*container_net_fn)(struct container *container, const struct err *err);

/*
 * Gives a container that waits for its start the network that is there for it. fn is called once, also from
 * within; never where the container goes before, or the machine, of which the sandbox tells.
 */
void container_net_take(struct container *container, container_net_fn fn);

/* Whether dev, the text of /proc/PID/net/dev, names an interface but the loopback one. Pure. */
bool container_net_is_listed(const char *dev);

#endif
