/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole devices at work while another thread, standing for a second vCPU, keeps rewriting their rings,
 * descriptors and requests. Nothing may be touched outside guest memory (the sanitizers watch), and
 * after a reset the device must be as good as new.
 */
#include <criterion/criterion.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "common/log.h"
#include "tests/unit/vmm/vsock_guest.h"
#include "vmm/blk_io.h"
#include "vmm/throttle.h"
#include "vmm/virtio_blk.h"
#include "vmm/virtio_rng.h"

#define MILLISECONDS 300
#define ENOUGH       100 /* failures of the device, and requests that it served */

struct attack {
	struct driver_queue *queues;
	/* The chain that fills each queue's table before it is scribbled on. */
	struct driver_segment honest[3][3];
	unsigned honest_n[3];
	unsigned n;
	uint64_t buffers, size; /* requests and data lie here */
	atomic_bool stop;
	pthread_t thread;
};

static void *second_vcpu(void *data)
{
	struct attack *attack = data;
	uint64_t state = 0x2545f4914f6cdd1d;

	while (!atomic_load(&attack->stop)) {
		uint64_t r = driver_random(&state);
		struct driver_queue *q = &attack->queues[r % attack->n];
		volatile uint8_t *p = guest_at(q->guest, attack->buffers);

		driver_scribble(q, &state, attack->buffers);
		/* Small values are types, operations and ports; large ones are anything. */
		p[(r >> 16) % attack->size] = (uint8_t)(r >> 8) & (r & 0x80 ? 0xff : 7);
	}
	return NULL;
}

static void attack_begin(struct attack *attack)
{
	atomic_store(&attack->stop, false);
	cr_assert_eq(pthread_create(&attack->thread, NULL, second_vcpu, attack), 0);
}

static void attack_end(struct attack *attack)
{
	atomic_store(&attack->stop, true);
	pthread_join(attack->thread, NULL);
}

/* Good requests all over the table, each with its data in another place. */
static void fill_table(struct attack *attack, unsigned i)
{
	struct driver_queue *q = &attack->queues[i];
	unsigned n = attack->honest_n[i];

	for (unsigned d = 0; d + n <= q->size; d += n) {
		for (unsigned k = 0; k < n; k++) {
			const struct driver_segment *seg = &attack->honest[i][k];

			q->desc[d + k] = (struct vring_desc){
				.addr = attack->buffers + d * 64 + seg->gpa,
				.len = seg->len,
				.flags = (uint16_t)((seg->in ? VRING_DESC_F_WRITE : 0) |
						    (k + 1 < n ? VRING_DESC_F_NEXT : 0)),
				.next = (uint16_t)(d + k + 1),
			};
		}
	}
}

/* After a reset, with the same rings; as a driver that begins anew. */
static void restart(struct virtio_device *dev, struct attack *attack)
{
	struct driver_queue *queues = attack->queues;

	virtio_reset(dev);
	dev->driver_features = dev->features;
	for (unsigned i = 0; i < dev->ops->n_queues; i++) {
		struct driver_queue *q = &queues[i];
		struct virtq *vq = &dev->queues[i];

		memset(q->used, 0, 6 + 8u * q->size);
		fill_table(attack, i);
		vq->size = q->size;
		vq->desc_gpa = GUEST_BASE + (uint64_t)((uint8_t *)q->desc - q->guest->ram);
		vq->avail_gpa = GUEST_BASE + (uint64_t)((uint8_t *)q->avail - q->guest->ram);
		vq->used_gpa = GUEST_BASE + (uint64_t)((uint8_t *)q->used - q->guest->ram);
		vq->ready = true;
	}
	cr_assert_eq(virtio_activate(dev), 0);
}

static uint16_t used_index(const struct virtio_device *dev)
{
	uint16_t n = 0;

	for (unsigned i = 0; i < dev->ops->n_queues; i++)
		n = (uint16_t)(n + dev->queues[i].next_used);
	return n;
}

/* Kicks and turns for a while; restarts the device whenever it has had enough. */
static void withstand(struct virtio_device *dev, struct loop *loop, struct attack *attack)
{
	uint64_t begin = now_ns(), ms = 0;
	unsigned failures = 0, served = 0;

	/* Thousands of warnings would be the limit's test, not this one's. */
	log_open(-1, LOG_ERROR, "test");
	attack_begin(attack);
	while (ms < MILLISECONDS || (ms < 10000 && (failures < ENOUGH || served < ENOUGH))) {
		for (unsigned i = 0; i < dev->ops->n_queues; i++)
			virtio_kick(dev, i);
		loop_turn(loop, 0);
		if (dev->failed) {
			served += used_index(dev);
			failures++;
			restart(dev, attack);
		}
		ms = (now_ns() - begin) / 1000000;
	}
	attack_end(attack);
	cr_expect_geq(failures, ENOUGH);
	cr_expect_geq(served, ENOUGH);
}

Test(hostile, disk)
{
	struct driver_queue q;
	struct attack attack = {
		.queues = &q,
		.n = 1,
		.size = 64 << 10,
		.honest = {{{0, 16, false}, {16, 512, true}, {528, 1, true}}},
		.honest_n = {3},
	};
	struct fake_transport transport;
	struct virtio_device *dev;
	struct blk_io *io;
	struct loop *loop;
	struct guest g;
	int disk = memfd_create("disk", MFD_CLOEXEC);

	guest_init(&g, 1 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(blk_io_create(loop, &io), 0);
	cr_assert_eq(blk_io_start(io), 0);
	cr_assert_eq(virtio_blk_create(0, io, &(struct rate){0}, &dev), 0);
	cr_assert_eq(ftruncate(disk, 1 << 20), 0);
	cr_assert_eq(virtio_blk_attach(dev, disk, false, NULL), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	attack.buffers = guest_alloc(&g, attack.size);
	withstand(dev, loop, &attack);
	cr_expect_eq(lseek(disk, 0, SEEK_END), 1 << 20);
	virtio_reset(dev);
	dev->ops->destroy(dev);
	blk_io_destroy(io);
	loop_destroy(loop);
	guest_finish(&g);
}

Test(hostile, entropy)
{
	struct driver_queue q;
	struct attack attack = {
		.queues = &q,
		.n = 1,
		.size = 64 << 10,
		.honest = {{{0, 64, true}}},
		.honest_n = {1},
	};
	struct fake_transport transport;
	struct virtio_device *dev;
	struct loop *loop;
	struct guest g;

	guest_init(&g, 1 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(virtio_rng_create(&dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	attack.buffers = guest_alloc(&g, attack.size);
	withstand(dev, loop, &attack);
	virtio_reset(dev);
	dev->ops->destroy(dev);
	loop_destroy(loop);
	guest_finish(&g);
}

Test(hostile, sockets)
{
	struct vsock_guest vg = {0};
	struct attack attack;
	int listener, fd;

	vg_init(&vg);
	listener = host_listen(&vg, 1);
	attack = (struct attack){
		.queues = vg.q,
		.n = 3,
		.buffers = vg.tx_gpa,
		.size = 2 * VSOCK_MAX_PAYLOAD,
		.honest = {{{0, 4096, true}}, {{0, 64, false}}, {{0, 4, true}}},
		.honest_n = {1, 1, 1},
	};
	/* A header that is nearly right in many places, for the scribbling to start from. */
	for (unsigned at = 0; at + VSOCK_HEADER_SIZE < attack.size; at += 64) {
		struct vsock_packet p = vg_packet(at % 3, 1, 1 + at / 64 % 7);

		p.len = at % 20;
		vsock_packet_encode(&p, guest_at(&vg.mem, attack.buffers + at));
	}
	withstand(vg.dev, vg.loop, &attack);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	/* And an honest driver finds it in order. */
	virtio_reset(vg.dev);
	vg.mem.used = 0;
	memset(vg.mem.ram, 0, vg.mem.size);
	cr_assert_eq(fake_transport_start(vg.dev, &vg.mem, vg.q, 0), 0);
	vg.rx_gpa = guest_alloc(&vg.mem, RX_BUFFERS * RX_SIZE);
	vg.tx_gpa = guest_alloc(&vg.mem, 2 * VSOCK_MAX_PAYLOAD);
	for (unsigned i = 0; i < RX_BUFFERS; i++)
		vg_offer(&vg, vg.rx_gpa + i * RX_SIZE);
	fd = connect_from_guest(&vg, listener, 10, 1);
	vg_send_data(&vg, 10, 1, "alive", 5, 0);
	cr_expect_str_eq(host_read(&vg, fd), "alive");
	close(fd);
	close(listener);
	vg_finish(&vg);
}
