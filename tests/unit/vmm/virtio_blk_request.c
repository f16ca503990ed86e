/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests: what they transfer, and how they are refused. */
#include <sys/stat.h>

#include "tests/unit/vmm/blk_guest.h"

TestSuite(virtio_blk_request, .init = setup, .fini = teardown);

/* --- transfers ----------------------------------------------------------------------------- */

Test(virtio_blk_request, what_is_written_is_read_and_on_the_disk)
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

Test(virtio_blk_request, segments_may_be_cut_anywhere)
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

Test(virtio_blk_request, nothing_beyond_the_end_is_served)
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

Test(virtio_blk_request, a_file_that_shrank_is_an_error)
{
	attach(false);
	cr_assert_eq(ftruncate(disk, 512), 0);
	cr_expect_eq(request(VIRTIO_BLK_T_IN, 0, 1024), VIRTIO_BLK_S_IOERR);
}

Test(virtio_blk_request, an_unknown_type_is_unsupported)
{
	attach(false);
	cr_expect_eq(request(77, 0, 512), VIRTIO_BLK_S_UNSUPP);
}

Test(virtio_blk_request, more_requests_than_are_in_flight_are_all_answered)
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

Test(virtio_blk_request, a_request_without_status_breaks_the_device)
{
	struct driver_segment segs[] = {{header_gpa, 16, false}, {data_gpa, 512, false}};

	attach(false);
	expect_reset(segs, 2);
}

Test(virtio_blk_request, a_short_header_breaks_the_device)
{
	struct driver_segment segs[] = {{header_gpa, 15, false}, {status_gpa, 1, true}};

	attach(false);
	expect_reset(segs, 2);
}

/* --- discard and zeroes -------------------------------------------------------------------- */

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

Test(virtio_blk_request, zeroes_are_written_exactly_there)
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

Test(virtio_blk_request, a_discard_frees_space)
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

Test(virtio_blk_request, broken_ranges_touch_nothing)
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

/* --- its rate ------------------------------------------------------------------------------- */

static void setup_limited(void)
{
	rate = (struct rate){.ops = 2};
	setup();
	attach(false);
}

static unsigned answers(unsigned turns)
{
	uint32_t head, len;
	unsigned n = 0;

	for (unsigned i = 0; i < turns; i++) {
		while (driver_get(&q, &head, &len))
			n++;
		loop_turn(loop, 5);
	}
	return n;
}

Test(virtio_blk_rate, a_rate_that_is_used_up_holds_the_queue, .init = setup_limited,
     .fini = teardown)
{
	uint64_t begin = now_ns();
	unsigned n;

	for (unsigned i = 0; i < 4; i++)
		submit(VIRTIO_BLK_T_IN, 0, 512);
	n = answers(10);
	cr_assert_geq(n, 2);
	cr_assert(n == 2 || now_ns() - begin > 500000000, "%u at once", n);
	while (n < 4) {
		virtio_kick(dev, 0); /* hurries nothing */
		n += answers(10);
	}
	cr_assert_geq(now_ns() - begin, 990000000);
}

Test(virtio_blk_rate, a_reset_while_it_waits, .init = setup_limited, .fini = teardown)
{
	for (unsigned i = 0; i < 6; i++)
		submit(VIRTIO_BLK_T_IN, 0, 512);
	virtio_reset(dev);
	cr_assert_eq(fake_transport_start(dev, &g, &q, 0), 0);
	/* What was spent stays so. */
	submit(VIRTIO_BLK_T_IN, 0, 512);
	submit(VIRTIO_BLK_T_IN, 0, 512);
	submit(VIRTIO_BLK_T_IN, 0, 512);
	cr_assert_lt(answers(10), 3);
}

static void setup_bytes(void)
{
	rate = (struct rate){.bytes = 65536};
	setup();
	attach(false);
}

Test(virtio_blk_rate, zeros_are_paid_for, .init = setup_bytes, .fini = teardown)
{
	uint64_t begin = now_ns();

	put_range(0, 0, 256, 0); /* 128 KiB: a debt of one second */
	cr_assert_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16), VIRTIO_BLK_S_OK);
	cr_assert_eq(request(VIRTIO_BLK_T_IN, 0, 512), VIRTIO_BLK_S_OK);
	cr_assert_geq(now_ns() - begin, 990000000);
}
