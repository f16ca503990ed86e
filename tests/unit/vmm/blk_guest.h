/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block device with a disk of SECTORS sectors, and a driver's side of its ring: one request at a
 * time, or as many as a test adds. The state is the including file's own.
 */
#ifndef TESTS_BLK_GUEST_H
#define TESTS_BLK_GUEST_H

#include <criterion/criterion.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/loop.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/blk_io.h"
#include "vmm/throttle.h"
#include "vmm/virtio_blk.h"

#define SECTORS 2048u

static struct guest g;
static struct loop *loop;
static struct blk_io *io;
static struct virtio_device *dev;
static struct fake_transport transport;
static struct driver_queue q;
static uint64_t header_gpa, data_gpa, status_gpa;
static int disk;
static struct rate rate; /* before setup() */

static inline int new_disk(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, SECTORS * 512), 0);
	return fd;
}

static inline void setup(void)
{
	guest_init(&g, 4 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(blk_io_create(loop, &io), 0);
	cr_assert_eq(blk_io_start(io), 0);
	cr_assert_eq(virtio_blk_create(2, io, &rate, &dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	header_gpa = guest_alloc(&g, 16);
	data_gpa = guest_alloc(&g, 1 << 20);
	status_gpa = guest_alloc(&g, 1);
	disk = new_disk();
}

static inline void attach(bool readonly)
{
	struct err err = ERR_INIT;

	cr_assert_eq(virtio_blk_attach(dev, dup(disk), readonly, &err), 0, "%s", err.msg);
}

static inline void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	blk_io_destroy(io);
	loop_destroy(loop);
	guest_finish(&g);
	close(disk);
}

static inline uint8_t *data(void)
{
	return guest_at(&g, data_gpa);
}

static inline void put_header(uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr *header = guest_at(&g, header_gpa);

	*header = (struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(uint8_t *)guest_at(&g, status_gpa) = 0xee;
}

static inline void submit(uint32_t type, uint64_t sector, uint32_t len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct driver_segment segs[3] = {{header_gpa, 16, false}};
	unsigned n = 1;

	put_header(type, sector);
	if (len)
		segs[n++] = (struct driver_segment){data_gpa, len, in};
	segs[n++] = (struct driver_segment){status_gpa, 1, true};
	driver_add(&q, segs, n);
	virtio_kick(dev, 0);
}

static inline void put_range(unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *seg = (void *)data();

	seg[i] = (struct virtio_blk_discard_write_zeroes){
		.sector = sector,
		.num_sectors = sectors,
		.flags = flags,
	};
}

/* Waits for the next used element. Returns its status byte; *ret_len what it says was written. */
static inline uint8_t wait_status(uint32_t *ret_len)
{
	uint32_t head, len;

	for (unsigned i = 0; i < 1000; i++) {
		if (driver_get(&q, &head, &len)) {
			if (ret_len)
				*ret_len = len;
			return *(uint8_t *)guest_at(&g, status_gpa);
		}
		loop_turn(loop, 10);
	}
	cr_assert(false, "no answer");
	return 0xff;
}

static inline uint8_t request(uint32_t type, uint64_t sector, uint32_t len)
{
	submit(type, sector, len);
	return wait_status(NULL);
}

#endif
