/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a disk slot.
 *
 * A request is popped into one of a fixed number of struct request, its header is copied out and
 * judged, and what is left of the chain's segments goes to the worker (blk_io.h), which reads and
 * writes guest memory directly: the segments were checked, and memory outlives the worker. The
 * status byte and the used element are written on the loop's thread when the worker is done.
 * While all requests are busy the queue is left alone; the next completion goes on with it. So it is
 * while the slot's rate is used up (throttle.h): a timer goes on.
 *
 * Reset takes every request back from the worker before it returns, so that nothing writes to the
 * guest's memory afterwards. Detach does the same and fails them.
 *
 * Broken framing (no room for header or status) is the driver's fault: DEVICE_NEEDS_RESET. A
 * request that is well framed but asks for the impossible is answered with IOERR or UNSUPP.
 */
#include "vmm/virtio_blk.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/slots.h"
#include "vmm/virtio_blk_internal.h"

#define QUEUE_SIZE 256
#define SEG_MAX    (QUEUE_SIZE - 2)

static_assert(SEG_MAX + 2 <= VIRTQ_MAX_CHAIN, "every chain that is announced is accepted");

static struct blk *blk_of(struct virtio_device *dev)
{
	return container_of(dev, struct blk, dev);
}

/* --- the device ---------------------------------------------------------------------------- */

static void on_again(struct source *source, uint32_t events, void *data)
{
	virtio_kick(data, 0);
}

static void blk_kick(struct virtio_device *dev, unsigned queue)
{
	blk_serve_queue(blk_of(dev));
}

static void on_refilled(void *data)
{
	virtio_kick(data, 0);
}

static int blk_activate(struct virtio_device *dev)
{
	struct blk *blk = blk_of(dev);
	int r = throttle_start(&blk->throttle, dev->loop);

	if (r == 0)
		r = loop_add_defer(dev->loop, on_again, dev, &blk->again);
	if (r < 0)
		throttle_stop(&blk->throttle);
	return r;
}

static void blk_reset(struct virtio_device *dev)
{
	struct blk *blk = blk_of(dev);

	blk_io_cancel(blk->io, blk);
	blk_forget_requests(blk);
	throttle_stop(&blk->throttle);
	source_remove(blk->again);
	blk->again = NULL;
}

static void blk_pause(struct virtio_device *dev, bool on)
{
	if (on)
		blk_io_drain(blk_of(dev)->io, blk_of(dev));
}

static void blk_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	struct virtio_blk_config config = {
		.capacity = htole64(blk_of(dev)->sectors),
		.seg_max = htole32(SEG_MAX),
		.blk_size = htole32(BLK_SECTOR),
		.physical_block_exp = 3, /* 4 KiB: a page of the host's cache */
		.max_discard_sectors = htole32(BLK_MAX_DISCARD),
		.max_discard_seg = htole32(BLK_IO_MAX_RANGES),
		.discard_sector_alignment = htole32(4096 / BLK_SECTOR),
		.max_write_zeroes_sectors = htole32(BLK_MAX_ZEROES),
		.max_write_zeroes_seg = htole32(BLK_IO_MAX_RANGES),
		.write_zeroes_may_unmap = 1,
	};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static void blk_destroy(struct virtio_device *dev)
{
	struct blk *blk = blk_of(dev);

	throttle_stop(&blk->throttle);
	close_fd(&blk->fd);
	free(blk);
}

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct blk, name) - offsetof(struct blk, dev)                      \
	}

static const struct virtio_counter counters[] = {
	COUNTER(reads),   COUNTER(writes),   COUNTER(read_bytes), COUNTER(write_bytes),
	COUNTER(flushes), COUNTER(discards), COUNTER(errors),     COUNTER(throttle.waits),
};

static const struct virtio_ops blk_ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.features = 1ull << VIRTIO_BLK_F_SEG_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE |
		    1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_TOPOLOGY |
		    1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES,
	.n_queues = 1,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_blk_config),
	.config_read = blk_config_read,
	.activate = blk_activate,
	.reset = blk_reset,
	.kick = blk_kick,
	.pause = blk_pause,
	.destroy = blk_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_blk_create(unsigned slot, struct blk_io *io, const struct rate *rate,
		      struct virtio_device **ret)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	char name[16];

	if (!blk)
		return -ENOMEM;
	snprintf(name, sizeof(name), "blk%u", slot);
	virtio_init(&blk->dev, &blk_ops, name);
	blk->io = io;
	blk->slot = slot;
	blk->fd = -1;
	blk->sectors = DISK_PARKED_SECTORS;
	throttle_init(&blk->throttle, rate, on_refilled, &blk->dev);
	blk_init_requests(blk);
	*ret = &blk->dev;
	return 0;
}

/* --- its backing --------------------------------------------------------------------------- */

static int check_backing(int fd, bool readonly, uint64_t *ret_sectors, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;
	off_t size;

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "disk");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, EINVAL, "disk: neither a file nor a block device");
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY ||
	    (!readonly && (flags & O_ACCMODE) != O_RDWR))
		return err_set(err, EINVAL, "disk: not open for %s",
			       readonly ? "reading" : "reading and writing");
	size = lseek(fd, 0, SEEK_END); /* of block devices too, where st_size is 0 */
	if (size < 0)
		return err_set_errno(err, errno, "disk");
	if (size < BLK_SECTOR)
		return err_set(err, EINVAL, "disk: smaller than a sector");
	*ret_sectors = (uint64_t)size / BLK_SECTOR;
	return 0;
}

static void set_backing(struct blk *blk, int fd, bool readonly, uint64_t sectors)
{
	blk->fd = fd;
	blk->readonly = readonly;
	blk->sectors = sectors;
	blk->dev.features &= ~(1ull << VIRTIO_BLK_F_RO);
	if (readonly)
		blk->dev.features |= 1ull << VIRTIO_BLK_F_RO;
	virtio_notify_config(&blk->dev);
}

int virtio_blk_attach(struct virtio_device *dev, int fd, bool readonly, struct err *err)
{
	_cleanup_close_ int owned = fd;
	struct blk *blk = blk_of(dev);
	uint64_t sectors = 0;
	int r;

	if (blk->fd >= 0)
		return err_set(err, EBUSY, "%s: in use", dev->name);
	r = check_backing(fd, readonly, &sectors, err);
	if (r < 0)
		return r;
	set_backing(blk, TAKE_FD(owned), readonly, sectors);
	return 0;
}

int virtio_blk_detach(struct virtio_device *dev, struct err *err)
{
	struct blk *blk = blk_of(dev);

	if (blk->fd < 0)
		return err_set(err, ENOENT, "%s: nothing attached", dev->name);
	blk_io_cancel(blk->io, blk);
	blk_fail_requests(blk);
	virtio_notify_used(dev, 0);
	close_fd(&blk->fd);
	set_backing(blk, -1, false, DISK_PARKED_SECTORS);
	virtio_kick(dev, 0);
	return 0;
}
