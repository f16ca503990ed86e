/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: three queues.
 *
 *	inflate    each request lists pages, as 32-bit numbers of 4 KiB pages, that the guest gives up
 *	deflate    the same for pages that it takes back; it finds them zeroed
 *	reporting  each request's segments are free memory itself; it may use it again once it has the
 *	           request back
 *
 * Giving up is MADV_DONTNEED: guest memory is private to us, and a later access gets a fresh page, or a
 * template's. Nothing of ours lies in guest memory but what devices read and write there anyway, and that
 * they judge each time; so a driver that gives up its own rings harms itself only.
 *
 * What is not a whole page of the host's stays. A turn serves a few requests of bounded length and leaves
 * the rest to the next one.
 */
#include "vmm/virtio_balloon.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "vmm/virtio.h"

#define PAGE              4096ull
#define MAX_PAGES         1024u /* in one list; Linux sends 256 */
#define REQUESTS_PER_TURN 16
#define QUEUE_SIZE        64

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_REPORTING, N_QUEUES };

struct balloon {
	struct virtio_device dev;
	struct source *again;
	uint64_t inflated, deflated, reported; /* bytes */
	struct virtq_chain chain;
};

/* Returns the bytes that the host got back. */
static uint64_t discard(void *begin, uint64_t size)
{
	uintptr_t from = ((uintptr_t)begin + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t to = ((uintptr_t)begin + size) & ~(uintptr_t)(PAGE - 1);

	if (from >= to || madvise((void *)from, to - from, MADV_DONTNEED) < 0)
		return 0;
	return to - from;
}

/* -EINVAL: not a list of pages, or one of a page that is not there. */
static int serve_list(struct balloon *balloon, unsigned queue)
{
	const struct memory *mem = balloon->dev.mem;
	const struct virtq_chain *chain = &balloon->chain;
	uint32_t pages[MAX_PAGES];
	size_t n = chain->out_len / sizeof(pages[0]);

	if (chain->n_in || chain->out_len % sizeof(pages[0]) || n > MAX_PAGES)
		return -EINVAL;
	chain_read(chain, 0, pages, n * sizeof(pages[0]));
	for (size_t i = 0; i < n; i++) {
		void *page = memory_at(mem, le32toh(pages[i]) * PAGE, PAGE);

		if (!page)
			return -EINVAL;
		if (queue == QUEUE_INFLATE)
			balloon->inflated += discard(page, PAGE);
		else
			balloon->deflated += PAGE;
	}
	return 0;
}

/* The segments have been looked up: they lie in guest memory. */
static int serve_report(struct balloon *balloon)
{
	const struct virtq_chain *chain = &balloon->chain;

	if (chain->n_out)
		return -EINVAL;
	for (unsigned i = 0; i < chain->n_in; i++)
		balloon->reported += discard(chain->iov[i].iov_base, chain->iov[i].iov_len);
	return 0;
}

static void balloon_kick(struct virtio_device *dev, unsigned queue)
{
	struct balloon *balloon = container_of(dev, struct balloon, dev);
	struct virtq *vq = &dev->queues[queue];
	unsigned left = REQUESTS_PER_TURN;
	int r = 0;

	virtq_disable_notify(vq);
	do {
		while (left && (r = virtq_pop(vq, &balloon->chain)) > 0) {
			r = queue == QUEUE_REPORTING ? serve_report(balloon)
						     : serve_list(balloon, queue);
			if (r < 0)
				break;
			virtq_push(vq, balloon->chain.head, 0);
			left--;
		}
		if (r < 0) {
			virtio_fail(dev, "broken request");
			return;
		}
		if (!left) {
			source_defer(balloon->again);
			break;
		}
	} while (virtq_enable_notify(vq));
	virtio_notify_used(dev, queue);
}

static void on_again(struct source *source, uint32_t events, void *data)
{
	for (unsigned i = 0; i < N_QUEUES; i++)
		virtio_kick(data, i);
}

static void balloon_config_read(struct virtio_device *dev, size_t offset, void *buf, size_t len)
{
	const struct virtio_balloon_config config = {0};

	memcpy(buf, (const uint8_t *)&config + offset, len);
}

/* The driver writes how large the balloon is; the requests have said so. */
static void balloon_config_write(struct virtio_device *dev, size_t offset, const void *buf,
				 size_t len)
{
}

static int balloon_activate(struct virtio_device *dev)
{
	struct balloon *balloon = container_of(dev, struct balloon, dev);

	return loop_add_defer(dev->loop, on_again, dev, &balloon->again);
}

static void balloon_reset(struct virtio_device *dev)
{
	struct balloon *balloon = container_of(dev, struct balloon, dev);

	source_remove(balloon->again);
	balloon->again = NULL;
}

static void balloon_destroy(struct virtio_device *dev)
{
	free(container_of(dev, struct balloon, dev));
}

#define COUNTER(name)                                                                              \
	{                                                                                          \
#name "_bytes", offsetof(struct balloon, name) - offsetof(struct balloon, dev)     \
	}
static const struct virtio_counter counters[] = {
	COUNTER(inflated),
	COUNTER(deflated),
	COUNTER(reported),
};

static const struct virtio_ops balloon_ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.features = 1ull << VIRTIO_BALLOON_F_REPORTING,
	.n_queues = N_QUEUES,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_balloon_config),
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.activate = balloon_activate,
	.reset = balloon_reset,
	.kick = balloon_kick,
	.destroy = balloon_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_balloon_create(struct virtio_device **ret)
{
	struct balloon *balloon = calloc(1, sizeof(*balloon));

	if (!balloon)
		return -ENOMEM;
	virtio_init(&balloon->dev, &balloon_ops, "balloon");
	*ret = &balloon->dev;
	return 0;
}
