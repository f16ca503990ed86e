/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the file server in two halves, this one's view.
 *
 *	guest's kernel --queues--> this device --fuse_decode()--> names ---> sbx-share (virtio_fs_link.c)
 *	                                                     \--> data ----> workers, on descriptors
 *
 * sbx-share holds the folders and every right; it looks names up, checks them, opens files, and
 * passes the open descriptors here with its answers to OPEN, CREATE and TMPFILE. They are kept in a
 * table (fs_handles.h) under numbers of ours, and READ, WRITE, FSYNC, FALLOCATE, LSEEK and
 * COPY_FILE_RANGE on them are done here, by workers, straight between file and guest memory: so file
 * contents cross no socket, and this process needs no right but what a descriptor carries. RELEASE
 * ends here too: sbx-share knows of no open file.
 *
 * A request is popped into one of a fixed number of slots. Its bytes, but a WRITE's data, are copied
 * out once and only the copy is parsed; of the names in it nothing is believed here or there. Towards
 * sbx-share it carries a tag of ours in the place of the guest's unique number, by which the answer
 * finds its slot; an answer to a slot that was used again since is dropped.
 *
 * The queues are left alone while all slots are busy or the socket is full; completions and the
 * socket go on with them. Without sbx-share (it is started with the pod's first share) the device is
 * parked: the mount in the guest waits for its INIT. When sbx-share is gone, everything is ENOTCONN.
 *
 * Reset takes every request back from the workers before it returns, closes all handles, and forgets
 * what is with sbx-share; the driver's next INIT makes sbx-share forget too. While paused nothing is
 * popped or answered: workers are drained, the socket is not read. Only before the guest's memory goes,
 * beside QEMU, the answers of sbx-share's thread are waited for.
 *
 * Framing that leaves no room for a header is the driver's fault: DEVICE_NEEDS_RESET. Anything else
 * that makes no sense is answered with an error.
 */
#include "vmm/virtio_fs.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/resource.h>

#include "common/loop.h"
#include "vmm/virtio_fs_internal.h"

#define QUEUE_SIZE 1024 /* so that 256 pages and their heads fit without indirect descriptors */
#define WORKERS    4

static_assert(FUSE_PROTO_MAX_REQUEST < 128u << 10, "fits into a socket's buffer");

static struct fs *fs_of(struct virtio_device *dev)
{
	return container_of(dev, struct fs, dev);
}

static void on_again(struct source *source, uint32_t events, void *data)
{
	for (unsigned i = 0; i < VIRTIO_FS_QUEUES; i++)
		virtio_kick(data, i);
}

static void fs_kick(struct virtio_device *dev, unsigned queue)
{
	fs_serve_queue(fs_of(dev), queue);
}

static int fs_start(struct virtio_device *dev)
{
	return workers_start(fs_of(dev)->workers);
}

static int fs_activate(struct virtio_device *dev)
{
	return loop_add_defer(dev->loop, on_again, dev, &fs_of(dev)->again);
}

static void fs_reset(struct virtio_device *dev)
{
	struct fs *fs = fs_of(dev);

	fs_drop_shared(fs, 0);
	/* Their answers go nowhere: nothing is pushed while the device is failed. */
	dev->failed = true;
	workers_drain(fs->workers);
	fs_handles_finish(&fs->handles);
	source_remove(fs->again);
	fs->again = NULL;
}

static void fs_pause(struct virtio_device *dev, bool on)
{
	struct fs *fs = fs_of(dev);

	if (on)
		workers_drain(fs->workers);
	fs_link_hold(fs, on);
}

static void fs_drain(struct virtio_device *dev)
{
	fs_link_drain(fs_of(dev));
}

static void fs_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	struct virtio_fs_config config = {
		.tag = VIRTIO_FS_TAG,
		.num_request_queues = htole32(VIRTIO_FS_QUEUES - 1),
	};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

static void fs_destroy(struct virtio_device *dev)
{
	struct fs *fs = fs_of(dev);

	fs_link_close(fs);
	workers_destroy(fs->workers);
	fs_handles_finish(&fs->handles);
	free(fs);
}

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name, offsetof(struct fs, name) - offsetof(struct fs, dev)                        \
	}

static const struct virtio_counter counters[] = {
	COUNTER(requests),   COUNTER(shared),      COUNTER(reads),  COUNTER(writes),
	COUNTER(read_bytes), COUNTER(write_bytes), COUNTER(errors),
};

static const struct virtio_ops fs_ops = {
	.name = "fs",
	.id = VIRTIO_ID_FS,
	.n_queues = VIRTIO_FS_QUEUES,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_fs_config),
	.config_read = fs_config_read,
	.start = fs_start,
	.activate = fs_activate,
	.reset = fs_reset,
	.kick = fs_kick,
	.pause = fs_pause,
	.drain = fs_drain,
	.destroy = fs_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

/* Each file that the guest has open is a descriptor of this process. */
static void raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int virtio_fs_create(struct loop *loop, struct virtio_device **ret)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return -ENOMEM;
	virtio_init(&fs->dev, &fs_ops, "fs");
	fs->dev.loop = loop;
	fs->link_fd = -1;
	raise_limit();
	fs_handles_init(&fs->handles);
	fs_init_requests(fs);
	r = workers_create(loop, "fs", WORKERS, &fs->workers);
	if (r < 0) {
		free(fs);
		return r;
	}
	*ret = &fs->dev;
	return 0;
}
