/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the packets of a network device go and come from: the queues of a tap (net_tap.c), or a
 * stream socket to a program such as passt (net_stream.c). All of it runs on the loop's thread and
 * nothing waits.
 *
 * A packet is a struct virtio_net_hdr_v1 and an Ethernet frame. A backend is told of the driver's
 * choices by configure(); it calls back, through net_backend_events, when something can be read or
 * written again, or when it has ended: then nothing more comes, and the device lets go of it.
 */
#ifndef VMM_NET_BACKEND_H
#define VMM_NET_BACKEND_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/cleanup.h"
#include "common/err.h"

#define NET_HEADER    sizeof(struct virtio_net_hdr_v1)
#define NET_MAX_FRAME 65550u /* 64 KiB of IP and an Ethernet header */
#define NET_MIN_FRAME 14u

struct loop;
struct net_backend;

struct net_backend_events {
	/* There is something to receive() for a pair. Not repeated until receive() has found nothing. */
	void (*readable)(void *data, unsigned pair);
	/* After a send() that found no room. */
	void (*writable)(void *data);
	void (*ended)(void *data);
	void *data;
};

struct net_backend_ops {
	const char *name;
	/*
	 * iov[0] is the header, in our own memory, and may be changed; the frame follows. 0: sent.
	 * -EAGAIN: no room now, writable() follows. Any other error: the packet is lost.
	 */
	int (*send)(struct net_backend *backend, unsigned pair, struct iovec *iov, unsigned n);
	/*
	 * The next packet into the segments. Returns its whole length with the header, also where that
	 * is more than there was room for and the rest is lost; 0: there is none; -errno: it has ended.
	 * The header's num_buffers is the caller's to fill in.
	 */
	ssize_t (*receive)(struct net_backend *backend, unsigned pair, const struct iovec *iov,
			   unsigned n);
	/* What the driver takes (virtio feature bits), and how many queue pairs it uses. */
	void (*configure)(struct net_backend *backend, uint64_t features, unsigned pairs);
	void (*destroy)(struct net_backend *backend);
};

/* The head of every backend's own struct. */
struct net_backend {
	const struct net_backend_ops *ops;
	struct net_backend_events events;
	unsigned pairs; /* that it has */
};

/*
 * The n queues of one tap, made with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR. The descriptors are taken
 * over, also on failure. -EINVAL where one is no such queue.
 */
int net_tap_create(struct loop *loop, const int *fds, unsigned n,
		   const struct net_backend_events *events, struct net_backend **ret,
		   struct err *err);

/*
 * A connected stream socket that carries frames, each after its length as 4 bytes, big-endian: what
 * passt and QEMU's "stream" speak. There are no offloads: a packet that asks for one is lost. fd is
 * taken over, also on failure.
 */
int net_stream_create(struct loop *loop, int fd, const struct net_backend_events *events,
		      struct net_backend **ret, struct err *err);

static inline void net_backend_destroy(struct net_backend *backend)
{
	if (backend)
		backend->ops->destroy(backend);
}
DEFINE_CLEANUP(struct net_backend, net_backend_destroy)

#endif
