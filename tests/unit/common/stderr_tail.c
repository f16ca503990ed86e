/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a program's stderr: what is kept, how it is told, and that nobody waits. */
#include "common/stderr_tail.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

static const char *told(const char *data, size_t n)
{
	static struct err err;
	struct stderr_tail tail = {.fd = -1};

	err_set(&err, 5, "x");
	stderr_tail_add(&tail, data, n);
	stderr_tail_tell(&tail, &err);
	return err.msg;
}

Test(stderr_tail, is_one_printable_line)
{
	cr_assert_str_eq(told("", 0), "x");
	cr_assert_str_eq(told("\n\r\n", 3), "x");
	cr_assert_str_eq(told("no\n", 3), "x: no");
	cr_assert_str_eq(told("\none\r\n\ntwo: \x1b[1m\xff\0.\n", 19), "x: one | two: ?[1m??.");
}

Test(stderr_tail, keeps_the_newest)
{
	struct stderr_tail tail = {.fd = -1};
	char big[3 * STDERR_TAIL_MAX], want[STDERR_TAIL_MAX + 1];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 26);
	/* In pieces that are smaller than it, as large, and larger. */
	for (size_t size = 1; size <= sizeof(big); size++) {
		tail.n = 0;
		for (size_t i = 0; i < sizeof(big); i += size)
			stderr_tail_add(&tail, big + i,
					sizeof(big) - i < size ? sizeof(big) - i : size);
		cr_assert_eq(tail.n, STDERR_TAIL_MAX);
		cr_assert_arr_eq(tail.bytes, big + sizeof(big) - STDERR_TAIL_MAX, STDERR_TAIL_MAX);
	}
	snprintf(want, sizeof(want), "%.*s", STDERR_TAIL_MAX, big + sizeof(big) - STDERR_TAIL_MAX);
	cr_assert_str_eq(told(big, sizeof(big)) + 3, want);
}

Test(stderr_tail, a_message_has_its_end)
{
	struct stderr_tail tail = {.fd = -1};
	struct err err = ERR_INIT;

	memset(err.msg, 'm', sizeof(err.msg) - 10);
	stderr_tail_add(&tail, "a\nbcdefghijklmnop", 17);
	stderr_tail_tell(&tail, &err);
	cr_assert_str_eq(err.msg + sizeof(err.msg) - 10, ": a | bcd");
	stderr_tail_tell(&tail, NULL);
}

Test(stderr_tail, nobody_waits, .timeout = 10)
{
	struct stderr_tail tail;
	_cleanup_close_ int fd = -1;
	char block[4096];

	cr_assert_eq(stderr_tail_open(&tail, &fd), 0);
	cr_assert_eq(stderr_tail_read(&tail), 1);
	memset(block, '.', sizeof(block));
	/* More than a pipe holds. */
	for (int i = 0; i < 64; i++) {
		cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
		cr_assert_eq(stderr_tail_read(&tail), 1);
	}
	cr_assert_eq(write(fd, "end", 3), 3);
	close_fd(&fd);
	cr_assert_eq(stderr_tail_read(&tail), 0);
	cr_assert_eq(tail.n, STDERR_TAIL_MAX);
	cr_assert_eq(memcmp(tail.bytes + STDERR_TAIL_MAX - 3, "end", 3), 0);
	stderr_tail_close(&tail);
}
