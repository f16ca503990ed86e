/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-blk (virtio 1.2, 5.2): a disk slot. Its backing, a regular file or a block device, can be
 * put in and taken out while the guest runs. A slot without one is parked: it shows 8 sectors and
 * answers IOERR, because a guest hears of a new size only where both sizes are not zero.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include <stdbool.h>

#include "common/err.h"

struct blk_io;
struct rate;
struct virtio_device;

/*
 * A parked slot; its serial is "sbx<slot>". io (borrowed) does the reading and writing, rate is what the
 * guest may have of it.
 */
int virtio_blk_create(unsigned slot, struct blk_io *io, const struct rate *rate,
		      struct virtio_device **ret);

/*
 * Puts fd (taken over, also on failure) into the slot and tells the guest its size. -EBUSY where
 * the slot is in use; -EINVAL where fd is no file or block device of at least a sector, or is not
 * open for what is asked. The feature VIRTIO_BLK_F_RO is offered where a read-only backing is there
 * before the driver negotiates; writes to one are refused in any case.
 */
int virtio_blk_attach(struct virtio_device *dev, int fd, bool readonly, struct err *err);

/*
 * Parks the slot again. Requests that wait fail with IOERR, the one being served is waited for:
 * afterwards nothing uses the file. -ENOENT where the slot is parked.
 */
int virtio_blk_detach(struct virtio_device *dev, struct err *err);

#endif
