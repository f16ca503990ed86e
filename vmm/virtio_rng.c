/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio-rng. A request gets at most 64 KiB, a turn serves a few requests and leaves the rest to
 * the next one, so that a guest that only draws entropy does not hold up its other devices.
 */
#include "vmm/virtio_rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/loop.h"
#include "vmm/virtio.h"

#define MAX_REQUEST       65536u
#define REQUESTS_PER_TURN 8

struct rng {
	struct virtio_device dev;
	struct source *again;
	uint64_t requests, bytes;
	struct virtq_chain chain;
};

/* Fills at most MAX_REQUEST bytes of the chain. Returns how many. */
static uint32_t fill(const struct virtq_chain *chain)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < chain->n_in && done < MAX_REQUEST; i++) {
		const struct iovec *iov = &chain->iov[chain->n_out + i];
		size_t want = iov->iov_len;
		ssize_t n;

		if (want > MAX_REQUEST - done)
			want = MAX_REQUEST - done;
		do
			n = getrandom(iov->iov_base, want, 0);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			break;
		done += (uint32_t)n;
		if ((size_t)n < want)
			break;
	}
	return done;
}

static void rng_kick(struct virtio_device *dev, unsigned queue)
{
	struct rng *rng = container_of(dev, struct rng, dev);
	struct virtq *vq = &dev->queues[0];
	unsigned left = REQUESTS_PER_TURN;

	virtq_disable_notify(vq);
	do {
		int r;

		while (left && (r = virtq_pop(vq, &rng->chain)) > 0) {
			uint32_t n = fill(&rng->chain);

			virtq_push(vq, rng->chain.head, n);
			rng->requests++;
			rng->bytes += n;
			left--;
		}
		if (left && r < 0) {
			virtio_fail(dev, "broken request ring");
			return;
		}
		if (!left) {
			source_defer(rng->again);
			break;
		}
	} while (virtq_enable_notify(vq));
	virtio_notify_used(dev, 0);
}

static void on_again(struct source *source, uint32_t events, void *data)
{
	virtio_kick(data, 0);
}

static int rng_activate(struct virtio_device *dev)
{
	struct rng *rng = container_of(dev, struct rng, dev);

	return loop_add_defer(dev->loop, on_again, dev, &rng->again);
}

static void rng_reset(struct virtio_device *dev)
{
	struct rng *rng = container_of(dev, struct rng, dev);

	source_remove(rng->again);
	rng->again = NULL;
}

static void rng_destroy(struct virtio_device *dev)
{
	free(container_of(dev, struct rng, dev));
}

static const struct virtio_counter counters[] = {
	{"requests", offsetof(struct rng, requests) - offsetof(struct rng, dev)},
	{"bytes", offsetof(struct rng, bytes) - offsetof(struct rng, dev)},
};

static const struct virtio_ops rng_ops = {
	.name = "rng",
	.id = VIRTIO_ID_RNG,
	.n_queues = 1,
	.queue_size = 64,
	.activate = rng_activate,
	.reset = rng_reset,
	.kick = rng_kick,
	.destroy = rng_destroy,
	.counters = counters,
	.n_counters = ARRAY_SIZE(counters),
};

int virtio_rng_create(struct virtio_device **ret)
{
	struct rng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		return -ENOMEM;
	virtio_init(&rng->dev, &rng_ops, "rng");
	*ret = &rng->dev;
	return 0;
}
