// SPDX-License-Identifier: Apache-2.0
#include "vmm/console.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/console_ring.h"
#include "common/loop.h"

int console_init(struct console *console, int ring_fd, int file_fd, bool to_stdout, uint64_t rate,
		 struct err *err)
{
	int r;

	*console = (struct console){
		.file_fd = file_fd, .file_left = CONSOLE_FILE_MAX, .to_stdout = to_stdout};
	rate_bucket_init(&console->rate, rate, now_ns());
	if (ring_fd < 0)
		return 0;
	r = console_ring_open(ring_fd, &console->ring);
	return r < 0 ? err_set_errno(err, -r, "--console-ring") : 0;
}

void console_finish(struct console *console)
{
	console_ring_close(console->ring);
	console->ring = NULL;
	close_fd(&console->file_fd);
}

/*
 * A kick for pause or stop interrupts a write that a slow reader holds up; the rest of the line is
 * then dropped. So is what a full disk or a closed pipe does not take: the console is a service.
 */
static void write_some(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done <= 0)
			return;
		text += done;
		n -= done;
	}
}

static void write_file(struct console *console, const char *text, size_t n)
{
	static const char cut[] = "[the rest of the console is left out]\n";

	if (console->file_fd < 0 || !console->file_left)
		return;
	if (n < console->file_left) {
		write_some(console->file_fd, text, n);
		console->file_left -= n;
	} else {
		write_some(console->file_fd, cut, sizeof(cut) - 1);
		console->file_left = 0;
	}
}

static void put(struct console *console, const char *text, size_t n)
{
	if (console->ring)
		console_ring_write(console->ring, text, n);
	write_file(console, text, n);
	if (console->to_stdout)
		write_some(STDOUT_FILENO, text, n);
}

static void on_text(void *data, const char *text, size_t n)
{
	struct console *console = data;
	char note[80];

	/* Once silent it stays so for half a second: whole passages can be read, single lines cannot. */
	if (!rate_bucket_allows(&console->rate, now_ns()) ||
	    (console->left_out && console->rate.level < (int64_t)(console->rate.rate / 2))) {
		console->left_out += n;
		return;
	}
	if (console->left_out) {
		snprintf(note, sizeof(note), "\n[%" PRIu64 " bytes of a flood are left out]\n",
			 console->left_out);
		put(console, note, strlen(note));
		console->left_out = 0;
	}
	rate_bucket_spend(&console->rate, n);
	put(console, text, n);
}

struct serial_sink console_sink(struct console *console)
{
	return (struct serial_sink){.write = on_text, .data = console};
}
