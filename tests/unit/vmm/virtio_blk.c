/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio_blk.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/slots.h"
#include "tests/unit/vmm/guest_driver.h"
#include "vmm/blk_io.h"

#define SECTORS 2048u

static struct guest g;
static struct loop *loop;
static struct blk_io *io;
static struct virtio_device *dev;
static struct fake_transport transport;
static struct driver_queue q;
static uint64_t header_gpa, data_gpa, status_gpa;
static int disk;

static int new_disk(void)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, SECTORS * 512), 0);
	return fd;
}

static void setup(void)
{
	guest_init(&g, 4 << 20);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(blk_io_create(loop, &io), 0);
	cr_assert_eq(virtio_blk_create(2, io, &dev), 0);
	fake_transport_attach(&transport, dev, &g, loop);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	header_gpa = guest_alloc(&g, 16);
	data_gpa = guest_alloc(&g, 1 << 20);
	status_gpa = guest_alloc(&g, 1);
	disk = new_disk();
}

static void attach(bool readonly)
{
	struct err err = ERR_INIT;

	cr_assert_eq(virtio_blk_attach(dev, dup(disk), readonly, &err), 0, "%s", err.msg);
}

static void teardown(void)
{
	virtio_reset(dev);
	dev->ops->destroy(dev);
	blk_io_destroy(io);
	loop_destroy(loop);
	guest_finish(&g);
	close(disk);
}

TestSuite(virtio_blk, .init = setup, .fini = teardown);

static uint8_t *data(void)
{
	return guest_at(&g, data_gpa);
}

static void put_header(uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr *header = guest_at(&g, header_gpa);

	*header = (struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(uint8_t *)guest_at(&g, status_gpa) = 0xee;
}

static void submit(uint32_t type, uint64_t sector, uint32_t len)
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

/* Waits for the next used element. Returns its status byte; *ret_len what it says was written. */
static uint8_t wait_status(uint32_t *ret_len)
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

static uint8_t request(uint32_t type, uint64_t sector, uint32_t len)
{
	submit(type, sector, len);
	return wait_status(NULL);
}

/* --- transfers ----------------------------------------------------------------------------- */

Test(virtio_blk, what_is_written_is_read_and_on_the_disk)
{
	char buf[1024];
	uint32_t len;

	attach(false);
	memset(data(), 'a', 512);
	memset(data() + 512, 'b', 512);
	cr_expect_eq(request(VIRTIO_BLK_T_OUT, 7, 1024), VIRTIO_BLK_S_OK);
	cr_assert_eq(pread(disk, buf, 1024, 7 * 512), 1024);
	cr_expect_arr_eq(buf, data(), 1024);
	memset(data(), 0, 1024);
	submit(VIRTIO_BLK_T_IN, 7, 1024);
	cr_expect_eq(wait_status(&len), VIRTIO_BLK_S_OK);
	cr_expect_eq(len, 1025);
	cr_expect_arr_eq(buf, data(), 1024);
	cr_expect_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
	cr_expect_gt(transport.used[0], 0);
}

Test(virtio_blk, segments_may_be_cut_anywhere)
{
	struct driver_segment out[] = {{header_gpa, 5, false},      {header_gpa + 5, 11, false},
				       {data_gpa, 100, false},      {data_gpa + 4096, 411, false},
				       {data_gpa + 8192, 1, false}, {status_gpa, 1, true}};
	struct driver_segment all_in = {data_gpa, 513, true};
	struct driver_segment in[] = {{header_gpa, 16, false}, all_in};

	attach(false);
	memset(data(), 'x', 100);
	memset(data() + 4096, 'y', 411);
	data()[8192] = 'z';
	put_header(VIRTIO_BLK_T_OUT, 0);
	driver_add(&q, out, 6);
	virtio_kick(dev, 0);
	cr_expect_eq(wait_status(NULL), VIRTIO_BLK_S_OK);
	/* Data and status in one segment. */
	put_header(VIRTIO_BLK_T_IN, 0);
	driver_add(&q, in, 2);
	virtio_kick(dev, 0);
	wait_status(NULL);
	cr_expect_eq(data()[0], 'x');
	cr_expect_eq(data()[100], 'y');
	cr_expect_eq(data()[511], 'z');
	cr_expect_eq(data()[512], VIRTIO_BLK_S_OK);
}

Test(virtio_blk, nothing_beyond_the_end_is_served)
{
	const struct {
		uint64_t sector;
		uint32_t len;
	} bad[] = {
		{SECTORS, 512},
		{SECTORS - 1, 1024},
		{UINT64_MAX, 512},
		{UINT64_MAX - 1, 1024},
		{UINT64_MAX / 512, 512},
		{1ull << 55, 512},
		{0, 511},
		{0, 513},
		{0, 0},
	};

	attach(false);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_expect_eq(request(VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len),
			     VIRTIO_BLK_S_IOERR, "read %zu", i);
		cr_expect_eq(request(VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len),
			     VIRTIO_BLK_S_IOERR, "write %zu", i);
	}
	cr_expect_eq(request(VIRTIO_BLK_T_IN, SECTORS - 2, 1024), VIRTIO_BLK_S_OK);
	cr_expect_eq(transport.resets, 0);
}

Test(virtio_blk, a_file_that_shrank_is_an_error)
{
	attach(false);
	cr_assert_eq(ftruncate(disk, 512), 0);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 1024), VIRTIO_BLK_S_IOERR);
}

Test(virtio_blk, an_unknown_type_is_unsupported)
{
	attach(false);
	cr_expect_eq(request(77, 0, 512), VIRTIO_BLK_S_UNSUPP);
}

Test(virtio_blk, more_requests_than_are_in_flight_are_all_answered)
{
	struct driver_segment segs[] = {
		{header_gpa, 16, false}, {data_gpa, 512, true}, {status_gpa, 1, true}};
	unsigned done = 0;

	attach(false);
	put_header(VIRTIO_BLK_T_IN, 3);
	for (unsigned i = 0; i < 80; i++)
		driver_add(&q, segs, 3);
	virtio_kick(dev, 0);
	for (unsigned i = 0; i < 1000 && done < 80; i++) {
		uint32_t head, len;

		loop_turn(loop, 10);
		while (driver_get(&q, &head, &len))
			done++;
	}
	cr_expect_eq(done, 80);
}

/* --- framing ------------------------------------------------------------------------------- */

static void expect_reset(const struct driver_segment *segs, unsigned n)
{
	uint32_t head, len;

	put_header(VIRTIO_BLK_T_IN, 0);
	driver_add(&q, segs, n);
	virtio_kick(dev, 0);
	cr_expect_eq(transport.resets, 1);
	cr_expect_not(driver_get(&q, &head, &len));
	/* And nothing is served until the reset. */
	submit(VIRTIO_BLK_T_FLUSH, 0, 0);
	loop_turn(loop, 0);
	cr_expect_not(driver_get(&q, &head, &len));
}

Test(virtio_blk, a_request_without_status_breaks_the_device)
{
	struct driver_segment segs[] = {{header_gpa, 16, false}, {data_gpa, 512, false}};

	attach(false);
	expect_reset(segs, 2);
}

Test(virtio_blk, a_short_header_breaks_the_device)
{
	struct driver_segment segs[] = {{header_gpa, 15, false}, {status_gpa, 1, true}};

	attach(false);
	expect_reset(segs, 2);
}

/* --- discard and zeroes -------------------------------------------------------------------- */

static void put_range(unsigned i, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes *seg = (void *)data();

	seg[i] = (struct virtio_blk_discard_write_zeroes){
		.sector = sector,
		.num_sectors = sectors,
		.flags = flags,
	};
}

static void fill_disk(void)
{
	static uint8_t ones[SECTORS * 512];

	memset(ones, 0xff, sizeof(ones));
	cr_assert_eq(pwrite(disk, ones, sizeof(ones), 0), sizeof(ones));
}

static unsigned ones_in(uint64_t sector, unsigned sectors)
{
	uint8_t buf[512];
	unsigned n = 0;

	for (unsigned s = 0; s < sectors; s++) {
		cr_assert_eq(pread(disk, buf, 512, (off_t)(sector + s) * 512), 512);
		for (unsigned i = 0; i < 512; i++)
			n += buf[i] == 0xff;
	}
	return n;
}

Test(virtio_blk, zeroes_are_written_exactly_there)
{
	attach(false);
	fill_disk();
	put_range(0, 8, 16, 0);
	put_range(1, 100, 1, 0);
	cr_expect_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32), VIRTIO_BLK_S_OK);
	put_range(0, 200, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	cr_expect_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_OK);
	cr_expect_eq(ones_in(8, 16) + ones_in(100, 1) + ones_in(200, 8), 0);
	cr_expect_eq(ones_in(0, SECTORS), (SECTORS - 25) * 512);
}

Test(virtio_blk, a_discard_frees_space)
{
	struct stat before, after;

	attach(false);
	fill_disk();
	fstat(disk, &before);
	put_range(0, 0, 1024, 0);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_OK);
	fstat(disk, &after);
	cr_expect_lt(after.st_blocks, before.st_blocks);
	cr_expect_eq(after.st_size, before.st_size);
	cr_expect_eq(ones_in(1024, 1024), 1024 * 512);
}

Test(virtio_blk, broken_ranges_touch_nothing)
{
	attach(false);
	fill_disk();
	put_range(0, 0, 8, 0);
	put_range(1, SECTORS - 1, 2, 0); /* the second one is bad: nor is the first done */
	cr_expect_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32), VIRTIO_BLK_S_IOERR);
	put_range(0, UINT64_MAX, 8, 0);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_IOERR);
	put_range(0, 0, UINT32_MAX, 0);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_IOERR);
	put_range(0, 0, 8, 1);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16), VIRTIO_BLK_S_UNSUPP);
	put_range(0, 0, 8, 2);
	cr_expect_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_UNSUPP);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 15), VIRTIO_BLK_S_IOERR);
	cr_expect_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16 * (BLK_IO_MAX_RANGES + 1)),
		     VIRTIO_BLK_S_IOERR);
	cr_expect_eq(ones_in(0, SECTORS), SECTORS * 512);
}

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
