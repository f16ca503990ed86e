/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the guest's stream connections arrive (PORT_STREAM), and how each finds the process stream
 * that waits for it: by a random 64-bit id, which is the first thing it says.
 */
#ifndef SHIM_STREAM_HUB_H
#define SHIM_STREAM_HUB_H

#include <stdint.h>

#include "common/cleanup.h"

struct loop;
struct stream_hub;
struct stream_wait;

/* fd is the connection, non-blocking, and the callee's; the wait it was for is gone. */
typedef void (*stream_fn)(int fd, void *data);

/* Listens in the pod's vsock directory. */
int stream_hub_create(struct loop *loop, int vsock_dirfd, struct stream_hub **ret);
void stream_hub_destroy(struct stream_hub *hub);
DEFINE_CLEANUP(struct stream_hub, stream_hub_destroy)

/* A fresh id; fn is called when its connection is there. The wait dies with that, or by cancel. */
int stream_hub_expect(struct stream_hub *hub, stream_fn fn, void *data, uint64_t *ret_id,
		      struct stream_wait **ret);
void stream_wait_cancel(struct stream_wait *wait);

#endif
