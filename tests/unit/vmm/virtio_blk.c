/* SPDX-License-Identifier: Apache-2.0 */
/* The device apart from its single requests: its backing, and what is in flight. */
#include <errno.h>
#include <fcntl.h>

#include "common/slots.h"
#include "tests/unit/vmm/blk_guest.h"

TestSuite(virtio_blk, .init = setup, .fini = teardown);

/* --- identity, read-only, parking ---------------------------------------------------------- */

Test(virtio_blk, its_serial_is_its_slot)
{
	attach(false);
	memset(data(), 0xff, 20);
	cr_expect_eq(request(VIRTIO_BLK_T_GET_ID, 0, 20), VIRTIO_BLK_S_OK);
	cr_expect_str_eq((char *)data(), "sbx2");
}

Test(virtio_blk, a_read_only_backing_refuses_every_change)
{
	attach(true);
	cr_expect(dev->features & 1ull << VIRTIO_BLK_F_RO);
	put_range(0, 0, 8, 0);
	cr_expect_eq(request(VIRTIO_BLK_T_OUT, 0, 512), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

static uint64_t capacity(void)
{
	uint64_t v;

	dev->ops->config_read(dev, 0, &v, sizeof(v));
	return v;
}

Test(virtio_blk, a_slot_is_parked_attached_and_parked_again)
{
	struct err err = ERR_INIT;

	cr_expect_eq(capacity(), DISK_PARKED_SECTORS);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_IOERR);
	attach(false);
	cr_expect_eq(transport.config, 1);
	cr_expect_eq(capacity(), SECTORS);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	cr_expect_eq(virtio_blk_attach(dev, new_disk(), false, &err), -EBUSY);
	cr_expect_eq(virtio_blk_detach(dev, &err), 0);
	cr_expect_eq(transport.config, 2);
	cr_expect_eq(capacity(), DISK_PARKED_SECTORS);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(virtio_blk_detach(dev, &err), -ENOENT);
}

Test(virtio_blk, what_is_no_disk_is_refused)
{
	struct err err = ERR_INIT;
	int p[2];

	cr_assert_eq(pipe(p), 0);
	cr_expect_eq(virtio_blk_attach(dev, p[0], true, &err), -EINVAL);
	close(p[1]);
	cr_expect_eq(virtio_blk_attach(dev, open("/", O_RDONLY), true, &err), -EINVAL);
	cr_expect_eq(virtio_blk_attach(dev, memfd_create("empty", 0), true, &err), -EINVAL);
	cr_expect_eq(virtio_blk_attach(dev, open("/proc/self/exe", O_RDONLY), false, &err),
		     -EINVAL);
	cr_expect_eq(virtio_blk_attach(dev, open("/proc/self/exe", O_PATH), true, &err), -EINVAL);
	cr_expect_eq(virtio_blk_attach(dev, open("/proc/self/exe", O_RDONLY), true, &err), 0);
}

/* --- requests in flight -------------------------------------------------------------------- */

static void submit_many(unsigned n)
{
	struct driver_segment segs[] = {
		{header_gpa, 16, false}, {data_gpa, 1 << 20, false}, {status_gpa, 1, true}};

	put_header(VIRTIO_BLK_T_OUT, 0);
	for (unsigned i = 0; i < n; i++)
		driver_add(&q, segs, 3);
	virtio_kick(dev, 0);
}

Test(virtio_blk, a_detach_answers_what_is_in_flight)
{
	uint32_t head, len;

	attach(false);
	submit_many(10);
	cr_expect_eq(virtio_blk_detach(dev, NULL), 0);
	for (unsigned i = 0; i < 10; i++)
		cr_expect(driver_get(&q, &head, &len));
	loop_turn(loop, 0); /* a late completion would come twice */
	cr_expect_not(driver_get(&q, &head, &len));
}

Test(virtio_blk, a_reset_ends_all_access_to_memory)
{
	uint32_t head, len;

	attach(false);
	for (unsigned i = 0; i < 20; i++) {
		submit_many(10);
		virtio_reset(dev);
		/* The worker is done with it: a sanitizer would see a use after this. */
		guest_finish(&g);
		guest_init(&g, 4 << 20);
		cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
		header_gpa = guest_alloc(&g, 16);
		data_gpa = guest_alloc(&g, 1 << 20);
		status_gpa = guest_alloc(&g, 1);
		loop_turn(loop, 0);
		cr_expect_not(driver_get(&q, &head, &len));
	}
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
}

Test(virtio_blk, a_pause_lets_requests_finish_and_holds_new_ones)
{
	uint32_t head, len;
	unsigned done = 0;

	attach(false);
	submit_many(10);
	virtio_pause(dev, true);
	while (driver_get(&q, &head, &len))
		done++;
	cr_expect_eq(done, 10);
	submit(VIRTIO_BLK_T_FLUSH, 0, 0);
	loop_turn(loop, 10);
	cr_expect_not(driver_get(&q, &head, &len));
	virtio_pause(dev, false);
	cr_expect_eq(wait_status(NULL), VIRTIO_BLK_S_OK);
}

Test(virtio_blk, counters_count)
{
	attach(false);
	request(VIRTIO_BLK_T_OUT, 0, 1024);
	request(VIRTIO_BLK_T_IN, 0, 512);
	request(VIRTIO_BLK_T_IN, SECTORS, 512);
	for (unsigned i = 0; i < dev->ops->n_counters; i++) {
		const char *name = dev->ops->counters[i].name;
		uint64_t v = virtio_counter(dev, i);

		if (!strcmp(name, "write_bytes"))
			cr_expect_eq(v, 1024);
		if (!strcmp(name, "read_bytes"))
			cr_expect_eq(v, 512);
		if (!strcmp(name, "errors"))
			cr_expect_eq(v, 1);
	}
}
