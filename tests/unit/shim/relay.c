/* SPDX-License-Identifier: Apache-2.0 */
/* Relays between every pair of kinds of descriptor, whole, held back and broken off. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "shim/relay.h"

enum kind { PIPE, SOCKET };

struct fixture {
	struct loop *loop;
	int in, src, dst,
		out; /* the test writes in, the relay moves src to dst, the test reads out */
	struct relay *relay;
	bool ended;
	int why;
};

static void on_end(struct relay *relay, int why, void *data)
{
	struct fixture *f = data;

	f->ended = true;
	f->why = why;
}

static void make_pair(enum kind kind, int *ret_read, int *ret_write)
{
	int pair[2];

	if (kind == PIPE)
		cr_assert_eq(pipe2(pair, O_NONBLOCK | O_CLOEXEC), 0);
	else
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*ret_read = pair[0];
	*ret_write = pair[1];
}

static void make(struct fixture *f, enum kind from, enum kind to)
{
	signal(SIGPIPE, SIG_IGN);
	*f = (struct fixture){0};
	cr_assert_eq(loop_create(&f->loop), 0);
	make_pair(from, &f->src, &f->in);
	make_pair(to, &f->out, &f->dst);
}

static void start(struct fixture *f, enum kind from, enum kind to)
{
	make(f, from, to);
	cr_assert_eq(relay_create(f->loop, f->src, f->dst, on_end, f, &f->relay), 0);
}

static void stop(struct fixture *f)
{
	relay_destroy(f->relay);
	loop_destroy(f->loop);
	close_fd(&f->in);
	close_fd(&f->src);
	close_fd(&f->dst);
	close_fd(&f->out);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13);
}

/* Moves size bytes through, in the bites that the descriptors take. */
static void transfer(struct fixture *f, size_t size)
{
	size_t written = 0, got = 0;
	uint8_t buf[7001];

	while (got < size) {
		size_t n = 0;
		ssize_t r;

		while (n < sizeof(buf) && written + n < size) {
			buf[n] = pattern(written + n);
			n++;
		}
		r = n ? write(f->in, buf, n) : 0;
		if (r > 0)
			written += (size_t)r;
		cr_assert_eq(loop_turn(f->loop, 0), 0);
		while ((r = read(f->out, buf, sizeof(buf))) > 0)
			for (ssize_t i = 0; i < r; i++, got++)
				cr_assert_eq(buf[i], pattern(got), "byte %zu", got);
	}
	cr_assert_eq(relay_count(f->relay), size);
}

static void check_kinds(enum kind from, enum kind to)
{
	struct fixture f;
	char byte;

	start(&f, from, to);
	transfer(&f, 3 << 20);
	close_fd(&f.in);
	for (int i = 0; i < 10 && !f.ended; i++)
		loop_turn(f.loop, 100);
	cr_assert(f.ended);
	cr_assert_eq(f.why, 0);
	cr_assert_eq(read(f.out, &byte, 1), -1, "the end is the owner's to pass on");
	stop(&f);
}

Test(relay, pipe_to_pipe)
{
	check_kinds(PIPE, PIPE);
}

Test(relay, pipe_to_socket)
{
	check_kinds(PIPE, SOCKET);
}

Test(relay, socket_to_pipe)
{
	check_kinds(SOCKET, PIPE);
}

Test(relay, socket_to_socket)
{
	check_kinds(SOCKET, SOCKET);
}

Test(relay, holds_the_source_back)
{
	struct fixture f;
	uint8_t buf[65536] = {0};
	size_t in = 0;

	start(&f, SOCKET, PIPE);
	for (int idle = 0; idle < 20;) {
		ssize_t n = write(f.in, buf, sizeof(buf));

		in += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		loop_turn(f.loop, 0);
	}
	/* What the two descriptors hold, and nothing more. */
	cr_assert_lt(in, 2 << 20);
	cr_assert_not(f.ended);
	stop(&f);
}

Test(relay, costs_nothing_while_it_waits)
{
	struct fixture f;
	uint8_t buf[65536] = {0};
	uint64_t begin;

	start(&f, SOCKET, PIPE);
	while (write(f.in, buf, sizeof(buf)) > 0)
		loop_turn(f.loop, 0);
	/* The source has hung up while the destination is full: no turn may come back at once. */
	close_fd(&f.in);
	for (int i = 0; i < 5; i++)
		loop_turn(f.loop, 0);
	begin = now_ns();
	loop_turn(f.loop, 50);
	cr_assert_geq(now_ns() - begin, 40000000u);
	cr_assert_not(f.ended);
	stop(&f);
}

/* Another user's terminal cannot be opened anew; it is a pipe here, read into a file, which takes no splice. */
Test(relay, does_not_wait_in_a_descriptor_that_blocks, .timeout = 10)
{
	struct fixture f;
	char buf[8];

	make(&f, PIPE, PIPE);
	cr_assert_eq(io_set_nonblock(f.src, false), 0);
	close_fd(&f.dst);
	f.dst = memfd_create("out", MFD_CLOEXEC);
	cr_assert_eq(fcntl(f.dst, F_SETFL, O_APPEND), 0);
	cr_assert_eq(relay_create(f.loop, f.src, f.dst, on_end, &f, &f.relay), 0);
	cr_assert_geq(loop_turn(f.loop, 0), 0);
	cr_assert_eq(write(f.in, "hello", 5), 5);
	while (relay_count(f.relay) < 5)
		cr_assert_geq(loop_turn(f.loop, 1000), 0);
	cr_assert_geq(loop_turn(f.loop, 0), 0);
	cr_assert_eq(pread(f.dst, buf, sizeof(buf), 0), 5);
	cr_assert_not(f.ended);
	stop(&f);
}

Test(relay, ends_with_its_reader)
{
	struct fixture f;

	start(&f, SOCKET, PIPE);
	loop_turn(f.loop, 0);
	close_fd(&f.out);
	for (int i = 0; i < 10 && !f.ended; i++)
		loop_turn(f.loop, 100);
	cr_assert(f.ended, "although there was nothing to move");
	cr_assert_eq(f.why, -EPIPE);
	stop(&f);
}

Test(relay, writes_files_also_where_splice_does_not)
{
	char path[] = "/tmp/sbx-unit-XXXXXX", buf[16] = "";
	struct fixture f;
	int file = mkstemp(path);

	start(&f, PIPE, PIPE);
	relay_destroy(f.relay);
	cr_assert_eq(write(file, "one ", 4), 4);
	close(file);
	close(f.dst);
	f.dst = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(relay_create(f.loop, f.src, f.dst, on_end, &f, &f.relay), 0);
	cr_assert_eq(write(f.in, "two", 3), 3);
	close_fd(&f.in);
	for (int i = 0; i < 10 && !f.ended; i++)
		loop_turn(f.loop, 100);
	cr_assert(f.ended && f.why == 0);
	file = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_eq(read(file, buf, sizeof(buf)), 7);
	cr_assert_str_eq(buf, "one two");
	close(file);
	unlink(path);
	stop(&f);
}

Test(relay, reads_files_and_null)
{
	struct fixture f;

	start(&f, PIPE, PIPE);
	relay_destroy(f.relay);
	close(f.src);
	f.src = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(relay_create(f.loop, f.src, f.dst, on_end, &f, &f.relay), 0);
	for (int i = 0; i < 10 && !f.ended; i++)
		loop_turn(f.loop, 100);
	cr_assert(f.ended && f.why == 0);
	stop(&f);
}
