/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the queues of a tap. The kernel reads and writes guest memory directly, the
 * header before each frame is the guest's own (its size is set to virtio's), and it parses that
 * header as hostile input. Each queue is watched edge-triggered: a queue that the guest has no
 * buffers for is left alone and costs nothing. Queues beyond those that the driver uses are detached,
 * so that the kernel puts no flow on them.
 *
 * To attach a queue, to detach it and to set the offloads takes a lock that all of the host's networks
 * share, and has all of its processors wait for each other. So what the driver wants is noted, and done
 * at a rate: one that keeps changing its mind waits for its own changes, and nobody else does.
 *
 * A tap takes what is written to it or drops it; there is nothing to wait for. When its network
 * namespace goes, so does it: the queue then reports an error, and the backend has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "common/loop.h"
#include "common/slots.h"
#include "vmm/net_backend.h"
#include "vmm/throttle.h"

#define CHANGES_PER_SECOND 32 /* and at once: a start of all queues takes 16 */

struct queue {
	struct tap *tap;
	unsigned index;
	int fd;
	bool detached;
	struct source *source;
};

struct tap {
	struct net_backend backend;
	unsigned n;
	bool configured;
	unsigned long offload; /* as configured last */
	/* As the driver wants it. */
	unsigned long wanted_offload;
	unsigned wanted_pairs;
	struct throttle changes;
	struct queue queues[NET_MAX_PAIRS];
};

static struct tap *tap_of(struct net_backend *backend)
{
	return container_of(backend, struct tap, backend);
}

static int tap_send(struct net_backend *backend, unsigned pair, struct iovec *iov, unsigned n)
{
	const struct tap *tap = tap_of(backend);
	ssize_t sent;

	do
		sent = writev(tap->queues[pair % tap->n].fd, iov, (int)n);
	while (sent < 0 && errno == EINTR);
	/* Whatever it was, the next packet may fare better; the device counts it. */
	return sent < 0 ? -EIO : 0;
}

static ssize_t tap_receive(struct net_backend *backend, unsigned pair, const struct iovec *iov,
			   unsigned n)
{
	const struct tap *tap = tap_of(backend);
	ssize_t got;

	if (pair >= tap->n)
		return 0;
	do
		got = readv(tap->queues[pair].fd, iov, (int)n);
	while (got < 0 && errno == EINTR);
	if (got >= 0)
		return got;
	/* Without its device it has ended. Else the kernel could not put one packet into words and has dropped it
	 * (tun_put_user: a GSO type that it does not know): a packet too short to be one, which the device counts. */
	return errno == EAGAIN ? 0 : errno == EBADFD ? -errno : 1;
}

static void set_queue(struct queue *queue, bool detached)
{
	struct ifreq ifr = {.ifr_flags = detached ? IFF_DETACH_QUEUE : IFF_ATTACH_QUEUE};

	/* One that stays attached only gets flows that nobody reads until the driver wants it. */
	if (ioctl(queue->fd, TUNSETQUEUE, &ifr) == 0)
		queue->detached = detached;
}

static bool may_change(struct tap *tap)
{
	if (!throttle_allows(&tap->changes))
		return false;
	throttle_spend(&tap->changes, 0);
	return true;
}

/* Does what differs from what is wanted, as far as the rate allows. Is called again for the rest. */
static void change(void *data)
{
	struct tap *tap = data;

	/* Cannot fail but where the tap has gone, which the queues tell. */
	if (!tap->configured || tap->offload != tap->wanted_offload) {
		if (!may_change(tap))
			return;
		ioctl(tap->queues[0].fd, TUNSETOFFLOAD, tap->wanted_offload);
		tap->configured = true;
		tap->offload = tap->wanted_offload;
	}
	for (unsigned i = 1; i < tap->n; i++) {
		bool detached = i >= tap->wanted_pairs;

		if (tap->queues[i].detached == detached)
			continue;
		if (!may_change(tap))
			return;
		set_queue(&tap->queues[i], detached);
	}
}

static void tap_configure(struct net_backend *backend, uint64_t features, unsigned pairs)
{
	struct tap *tap = tap_of(backend);
	unsigned long offload = 0;

	if (features & (1ull << VIRTIO_NET_F_GUEST_CSUM)) {
		offload |= TUN_F_CSUM;
		if (features & (1ull << VIRTIO_NET_F_GUEST_TSO4))
			offload |= TUN_F_TSO4;
		if (features & (1ull << VIRTIO_NET_F_GUEST_TSO6))
			offload |= TUN_F_TSO6;
	}
	tap->wanted_offload = offload;
	tap->wanted_pairs = pairs;
	change(tap);
}

static void on_queue(struct source *source, uint32_t events, void *data)
{
	const struct queue *queue = data;
	const struct net_backend_events *to = &queue->tap->backend.events;

	/* Of a detached queue some kernels tell an error, which is none. */
	if ((events & EPOLLERR) && !queue->detached)
		to->ended(to->data);
	else if (events & EPOLLIN)
		to->readable(to->data, queue->index);
}

static void tap_destroy(struct net_backend *backend)
{
	struct tap *tap = tap_of(backend);

	for (unsigned i = 0; i < tap->n; i++) {
		source_remove(tap->queues[i].source);
		close_fd(&tap->queues[i].fd);
	}
	throttle_stop(&tap->changes);
	free(tap);
}

static const struct net_backend_ops tap_ops = {
	.name = "tap",
	.send = tap_send,
	.receive = tap_receive,
	.configure = tap_configure,
	.destroy = tap_destroy,
};

static int prepare_queue(int fd, struct err *err)
{
	const int wanted = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	int size = NET_HEADER, flags = fcntl(fd, F_GETFL);
	struct ifreq ifr = {0};

	if (flags < 0 || ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set_errno(err, EINVAL, "net: the descriptor is not a tap");
	if ((ifr.ifr_flags & (wanted | IFF_TUN)) != wanted)
		return err_set(err, EINVAL, "net: the tap has the wrong mode");
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set_errno(err, errno, "net: the tap");
	return 0;
}

int net_tap_create(struct loop *loop, const int *fds, unsigned n,
		   const struct net_backend_events *events, struct net_backend **ret,
		   struct err *err)
{
	const struct rate changes = {.ops = CHANGES_PER_SECOND};
	struct tap *tap = n && n <= NET_MAX_PAIRS ? calloc(1, sizeof(*tap)) : NULL;
	int r = 0;

	for (unsigned i = 0; !tap && i < n; i++)
		close(fds[i]);
	if (!tap)
		return err_set(err, EINVAL, "net: 1 to %d queues are wanted", NET_MAX_PAIRS);
	tap->backend = (struct net_backend){.ops = &tap_ops, .events = *events, .pairs = n};
	tap->n = n;
	throttle_init(&tap->changes, &changes, change, tap);
	r = throttle_start(&tap->changes, loop);
	if (r < 0)
		err_set_errno(err, -r, "net: the tap");
	for (unsigned i = 0; i < n; i++)
		tap->queues[i] = (struct queue){.tap = tap, .index = i, .fd = fds[i]};
	for (unsigned i = 0; i < n && r == 0; i++) {
		struct queue *queue = &tap->queues[i];

		r = prepare_queue(queue->fd, err);
		if (r < 0)
			break;
		r = loop_add_io(loop, queue->fd, EPOLLIN | EPOLLET, on_queue, queue,
				&queue->source);
		if (r < 0)
			err_set_errno(err, -r, "net: watching the tap");
	}
	if (r < 0) {
		tap_destroy(&tap->backend);
		return r;
	}
	*ret = &tap->backend;
	return 0;
}
