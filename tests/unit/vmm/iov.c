/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/iov.h"

#include <criterion/criterion.h>
#include <string.h>

static char a[4], b[1], c[5];
static struct iovec iov[4];

static void setup(void)
{
	memcpy(a, "abcd", 4);
	memcpy(b, "e", 1);
	memcpy(c, "fghij", 5);
	iov[0] = (struct iovec){a, 4};
	iov[1] = (struct iovec){b, 1};
	iov[2] = (struct iovec){NULL, 0};
	iov[3] = (struct iovec){c, 5};
}

TestSuite(iov, .init = setup);

Test(iov, copies_any_part_of_itself)
{
	char buf[16];

	for (size_t offset = 0; offset <= 11; offset++) {
		for (size_t len = 0; len <= 11; len++) {
			size_t left = offset < 10 ? 10 - offset : 0, want = len < left ? len : left;

			memset(buf, 0, sizeof(buf));
			cr_assert_eq(iov_copy_out(iov, 4, offset, buf, len), want);
			cr_assert_arr_eq(buf, "abcdefghij" + (offset < 10 ? offset : 0), want);
			cr_assert_eq(buf[want], 0);
		}
	}
	cr_expect_eq(iov_copy_in(iov, 4, 3, "12345678", 8), 7);
	cr_expect_arr_eq(a, "abc1", 4);
	cr_expect_arr_eq(b, "2", 1);
	cr_expect_arr_eq(c, "34567", 5);
}

Test(iov, skips_and_truncates_to_the_byte)
{
	for (size_t begin = 0; begin <= 11; begin++) {
		for (size_t len = 0; len <= 11; len++) {
			struct iovec copy[4], *at = copy;
			size_t left = begin < 10 ? 10 - begin : 0;
			unsigned n = 4;
			char buf[16] = "";

			memcpy(copy, iov, sizeof(copy));
			iov_skip(&at, &n, begin);
			cr_assert_eq(iov_size(at, n), left);
			n = iov_truncate(at, n, len);
			cr_assert_eq(iov_size(at, n), len < left ? len : left);
			iov_copy_out(at, n, 0, buf, sizeof(buf));
			cr_assert_arr_eq(buf, "abcdefghij" + (begin < 10 ? begin : 0),
					 iov_size(at, n));
		}
	}
}
