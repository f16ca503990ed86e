/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-fs device: one in every VM, of the tag VIRTIO_FS_TAG. Without a connection to sbx-share
 * it is parked: what the guest asks waits in its queues.
 */
#ifndef VMM_VIRTIO_FS_H
#define VMM_VIRTIO_FS_H

#include "common/err.h"

struct loop;
struct virtio_device;

#define VIRTIO_FS_TAG    "sbx"
#define VIRTIO_FS_QUEUES 5 /* one for what must not wait (FORGET), four for requests */

int virtio_fs_create(struct loop *loop, struct virtio_device **ret);

/*
 * Connects to sbx-share, once. fd, a SOCK_SEQPACKET socket, is taken over, also on failure. -EBUSY,
 * -EINVAL.
 */
int virtio_fs_attach(struct virtio_device *dev, int fd, struct err *err);

#endif
