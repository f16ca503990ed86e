/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/console.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/console_ring.h"

static void print(struct console *console, const char *text, size_t n)
{
	struct serial_sink sink = console_sink(console);

	sink.write(sink.data, text, n);
}

Test(console, goes_to_the_ring_and_the_file)
{
	_cleanup_close_ int ring = console_ring_memfd(), file = memfd_create("file", 0);
	_cleanup_(console_ring_close_p) struct console_ring *reader = NULL;
	struct console console;
	char buf[16];

	cr_assert_eq(console_init(&console, ring, dup(file), false, 0, NULL), 0);
	print(&console, "hello\n", 6);
	console_finish(&console);
	cr_assert_eq(pread(file, buf, sizeof(buf), 0), 6);
	cr_assert_arr_eq(buf, "hello\n", 6);
	cr_assert_eq(console_ring_open(ring, &reader), 0);
	cr_assert_eq(console_ring_tail(reader, buf, sizeof(buf)), 6);
}

Test(console, the_file_has_an_end)
{
	_cleanup_close_ int file = memfd_create("file", 0);
	static char line[SERIAL_LINE];
	struct console console;
	char end[10];
	struct stat st;

	memset(line, 'x', sizeof(line));
	cr_assert_eq(console_init(&console, -1, dup(file), false, 0, NULL), 0);
	console.file_left = 10 * SERIAL_LINE;
	for (unsigned i = 0; i < 30; i++)
		print(&console, line, sizeof(line));
	console_finish(&console);
	cr_assert_eq(fstat(file, &st), 0);
	cr_assert_lt(st.st_size, 10 * SERIAL_LINE);
	cr_assert_gt(st.st_size, 9 * SERIAL_LINE);
	cr_assert_eq(pread(file, end, sizeof(end), st.st_size - (off_t)sizeof(end)),
		     (ssize_t)sizeof(end));
	cr_assert_arr_eq(end, "left out]\n", 10);
}

Test(console, a_closed_descriptor_is_no_trouble)
{
	_cleanup_close_ int file = memfd_create("file", 0);
	struct console console;
	int pipe_fds[2];

	cr_assert_eq(pipe(pipe_fds), 0);
	close(pipe_fds[0]);
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(console_init(&console, -1, pipe_fds[1], false, 0, NULL), 0);
	print(&console, "x\n", 2);
	console_finish(&console);
	cr_assert_lt(console_init(&console, file, -1, false, 0, NULL), 0, "a file is no ring");
	console_finish(&console);
}

Test(console, a_flood_is_told_by_its_size)
{
	_cleanup_close_ int file = memfd_create("file", 0);
	static char line[SERIAL_LINE], text[16384];
	struct console console;
	ssize_t n;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	cr_assert_eq(console_init(&console, -1, dup(file), false, 4096, NULL), 0);
	for (unsigned i = 0; i < 1000; i++)
		print(&console, line, sizeof(line));
	n = pread(file, text, sizeof(text), 0);
	cr_assert(n >= 4096 && n <= 4096 + 2048, "%zd", n);
	usleep(600000);
	print(&console, "after\n", 6);
	console_finish(&console);
	n = pread(file, text, sizeof(text) - 1, 0);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_assert(strstr(text, "bytes of a flood are left out]\nafter\n"));
}
