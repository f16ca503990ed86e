/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/log_file.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"
#include "shim/relay.h"

static int new_file(void)
{
	char path[] = "/tmp/sbx-log-XXXXXX";
	int fd = mkostemp(path, O_APPEND | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	unlink(path);
	return fd;
}

static void fill(int fd, char c, size_t n)
{
	static char block[4096];

	memset(block, c, sizeof(block));
	for (size_t i = 0; i < n; i += sizeof(block))
		cr_assert_eq(io_write_full(fd, block, sizeof(block)), 0);
}

static off_t room(int fd)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return st.st_blocks * 512;
}

/* Everything that a reader from the beginning gets, counted by its letters. */
static void read_all(int fd, size_t ret[256])
{
	unsigned char buf[1000];
	ssize_t n;

	memset(ret, 0, 256 * sizeof(*ret));
	while ((n = log_file_read(fd, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++)
			ret[buf[i]]++;
	cr_assert_eq(n, 0);
}

Test(log_file, a_short_one_is_left_alone)
{
	_cleanup_close_ int fd = new_file();
	size_t letters[256];

	fill(fd, 'a', 8192);
	cr_assert_eq(log_file_trim(fd, 8192), 0);
	lseek(fd, 0, SEEK_SET);
	read_all(fd, letters);
	cr_assert_eq(letters['a'], 8192);
}

Test(log_file, the_newest_is_kept)
{
	_cleanup_close_ int fd = new_file();
	size_t letters[256];

	fill(fd, 'a', 1 << 20);
	fill(fd, 'b', 1 << 20);
	cr_assert_eq(log_file_trim(fd, 1 << 20), 0);
	cr_assert_leq(room(fd), (1 << 20) + 8192);
	fill(fd, 'c', 4096);
	lseek(fd, 0, SEEK_SET);
	read_all(fd, letters);
	cr_assert_eq(letters['a'], 0);
	cr_assert_eq(letters[0], 0, "a hole is not read");
	cr_assert_eq(letters['b'], 1 << 20);
	cr_assert_eq(letters['c'], 4096);
}

Test(log_file, a_reader_that_is_overtaken_goes_on_with_what_is_there)
{
	_cleanup_close_ int fd = new_file();
	size_t letters[256];
	char buf[100];

	fill(fd, 'a', 1 << 20);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(log_file_read(fd, buf, sizeof(buf)), 100);
	fill(fd, 'b', 1 << 20);
	lseek(fd, 100, SEEK_SET);
	cr_assert_eq(log_file_trim(fd, 4096), 0);
	read_all(fd, letters);
	cr_assert_eq(letters['a'] + letters[0], 0);
	cr_assert_eq(letters['b'], 4096);
	/* What comes next is read, as it always was. */
	fill(fd, 'c', 4096);
	lseek(fd, -4096, SEEK_END);
	read_all(fd, letters);
	cr_assert_eq(letters['c'], 4096);
	/* Cut off, where holes are not known. */
	cr_assert_eq(ftruncate(fd, 0), 0);
	fill(fd, 'd', 4096);
	lseek(fd, 1 << 20, SEEK_SET);
	read_all(fd, letters);
	cr_assert_eq(letters['d'], 4096);
}

static void on_end(struct relay *relay, int why, void *data)
{
	*(bool *)data = true;
}

Test(log_file, a_relay_keeps_it_small)
{
	_cleanup_close_ int fd = new_file(), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_(loop_destroy_p) struct loop *loop = NULL;
	struct relay *relay;
	bool ended = false;

	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(relay_create(loop, zero, fd, on_end, &ended, &relay), 0);
	relay_keep(relay, 1 << 20);
	while (relay_count(relay) < 64u << 20 && !ended)
		loop_turn(loop, 0);
	cr_assert_not(ended);
	cr_assert_leq(room(fd), 2 << 20);
	relay_destroy(relay);
}

Test(log_file, a_guard_keeps_what_others_write_small)
{
	_cleanup_close_ int fd = new_file(), other = dup(fd);
	_cleanup_(loop_destroy_p) struct loop *loop = NULL;
	_cleanup_(log_guard_destroy_p) struct log_guard *guard = NULL;
	size_t letters[256];

	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(log_guard_create(loop, fd, 1 << 20, &guard), 0);
	for (unsigned i = 0; i < 32; i++) {
		fill(other, 'a', 1 << 20);
		loop_turn(loop, 0);
		cr_assert_leq(room(fd), 3 << 20);
	}
	fill(other, 'z', 4096);
	lseek(fd, 0, SEEK_SET);
	read_all(fd, letters);
	cr_assert_eq(letters['z'], 4096);
	cr_assert_eq(letters[0], 0);
}
