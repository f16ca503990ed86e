/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network device with one backend that keeps what it is given, and a driver's side of its rings, for
 * the tests of each side of it. The state is the including file's own.
 */
#ifndef TESTS_NET_GUEST_H
#define TESTS_NET_GUEST_H

#include <criterion/criterion.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/iov.h"
#include "vmm/virtio_net.h"
#include "vmm/virtio_net_internal.h"

static struct guest g;
static struct loop *loop;
static struct virtio_device *dev;
static struct net *net;
static struct fake_transport transport;
static struct driver_queue q[VIRTIO_MAX_QUEUES];
static uint64_t data;
static struct rate rate; /* before start() */

/* --- a backend that keeps what it is given -------------------------------------------------- */

static struct fake {
	struct net_backend backend;
	unsigned sent, configured, destroyed, pairs;
	uint64_t features;
	uint8_t last[70000];
	size_t last_size;
	int send_result;
	size_t packets[256]; /* frame lengths to be received, 0: none left */
	unsigned at;
	int ended;
} fake;

static inline int fake_send(struct net_backend *backend, unsigned pair, struct iovec *iov,
			    unsigned n)
{
	if (fake.send_result < 0)
		return fake.send_result;
	fake.sent++;
	fake.last_size = iov_copy_out(iov, n, 0, fake.last, sizeof(fake.last));
	return 0;
}

static inline ssize_t fake_receive(struct net_backend *backend, unsigned pair,
				   const struct iovec *iov, unsigned n)
{
	size_t size = fake.packets[fake.at];
	static uint8_t packet[70000];

	if (fake.ended)
		return -EBADFD;
	if (!size)
		return 0;
	memset(packet, 0, NET_HEADER);
	memset(packet + NET_HEADER, (int)(0x10 + fake.at), size);
	fake.at++;
	iov_copy_in(iov, n, 0, packet, NET_HEADER + size);
	return (ssize_t)(NET_HEADER + size);
}

static inline void fake_configure(struct net_backend *backend, uint64_t features, unsigned pairs)
{
	fake.configured++;
	fake.features = features;
	fake.pairs = pairs;
}

static inline void fake_destroy(struct net_backend *backend)
{
	fake.destroyed++;
}

static const struct net_backend_ops fake_ops = {
	.name = "fake",
	.send = fake_send,
	.receive = fake_receive,
	.configure = fake_configure,
	.destroy = fake_destroy,
};

static inline void attach_fake(void)
{
	fake = (struct fake){.backend = {.ops = &fake_ops, .pairs = 1}};
	net->backend = &fake.backend;
	net->mtu = 1500;
}

/* --- set-up --------------------------------------------------------------------------------- */

static inline void start(unsigned pairs, uint64_t without)
{
	guest_init(&g, 4 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_net_create(loop, 0, pairs, &rate, &dev), 0);
	net = container_of(dev, struct net, dev);
	fake_transport_attach(&transport, dev, &g, loop);
	attach_fake();
	cr_assert_eq(fake_transport_start(dev, &g, q, without), 0);
	data = guest_alloc(&g, 1 << 20);
}

static inline void setup(void)
{
	start(1, 0);
}

static inline void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	guest_finish(&g);
}

static inline struct virtio_net_hdr_v1 *header_at(uint64_t gpa)
{
	return guest_at(&g, gpa);
}

static inline void send_frame(const struct virtio_net_hdr_v1 *header, uint32_t size)
{
	struct driver_segment segs[] = {{data, NET_HEADER, false}, {data + 4096, size, false}};

	*header_at(data) = *header;
	memset(guest_at(&g, data + 4096), 0x55, size);
	driver_add(&q[1], segs, 2);
	virtio_kick(dev, 1);
}

static inline void offer(unsigned n, uint32_t size)
{
	for (unsigned i = 0; i < n; i++) {
		struct driver_segment seg = {data + i * 4096ull, size, true};

		driver_add(&q[0], &seg, 1);
	}
}

static inline void arrive(void)
{
	net->readable[0] = true;
	virtio_kick(dev, 0);
}

#endif
