/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-balloon (virtio 1.2, 5.5) for its free-page reporting: what the guest's kernel has not used for
 * some seconds goes back to the host, unasked, in pieces of 2 MiB and more. Nobody here asks the guest for
 * memory that it uses: the balloon's size is 0. A driver that inflates it all the same is served.
 */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

struct virtio_device;

int virtio_balloon_create(struct virtio_device **ret);

#endif
