/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vhost-user transport: a virtio device whose driver is the guest of another process's VM, QEMU's.
 * That process is trusted no more than its guest.
 */
#ifndef VMM_VHOST_USER_H
#define VMM_VHOST_USER_H

#include "common/cleanup.h"

struct loop;
struct vhost_user;
struct virtio_device;

/*
 * Serves dev, its first n_queues queues, to the front end on the connected socket fd (taken over, also
 * on failure). dev is taken over where this succeeds. on_close is called once, when the socket
 * has closed or the front end has broken the protocol (why: 0 or -errno); not from within destroy.
 */
int vhost_user_create(struct loop *loop, int fd, struct virtio_device *dev, unsigned n_queues,
		      void (*on_close)(int why, void *data), void *data, struct vhost_user **ret);
void vhost_user_destroy(struct vhost_user *vu);
DEFINE_CLEANUP(struct vhost_user, vhost_user_destroy)

#endif
