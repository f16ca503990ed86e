/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/pump.h"

static int pipe_fds[2], sock[2];

static void setup(void)
{
	cr_assert_eq(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sock), 0);
	signal(SIGPIPE, SIG_IGN);
}

TestSuite(pump, .init = setup);

Test(pump, output_until_the_end)
{
	char buf[16];

	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, NULL), PUMP_STARVED);
	cr_assert_eq(write(pipe_fds[1], "hello", 5), 5);
	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, NULL), PUMP_STARVED);
	cr_assert_eq(read(sock[1], buf, sizeof(buf)), 5);
	cr_assert_eq(write(pipe_fds[1], "last", 4), 4);
	close(pipe_fds[1]);
	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, NULL), PUMP_EOF);
	cr_assert_eq(read(sock[1], buf, sizeof(buf)), 4);
}

/* systemd opens its console for each message; in between nobody has it open. */
Test(pump, a_terminal_that_nobody_has_open_may_be_opened_again)
{
	struct pump_buffer buffer = {0};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), slave;
	char name[64], buf[16];

	cr_assert_geq(master, 0);
	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	cr_assert_eq(ptsname_r(master, name, sizeof(name)), 0);
	for (int i = 0; i < 2; i++) {
		slave = open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		cr_assert_geq(slave, 0);
		cr_assert_eq(write(slave, "word", 4), 4);
		close(slave);
		cr_assert_eq(pump_copy(master, sock[0], &buffer, NULL), PUMP_STARVED);
		cr_assert_eq(read(sock[1], buf, sizeof(buf)), 4);
	}
	close(master);
}

/* A peer that does not read: what does not fit stays in the pipe, and nothing else holds it. */
Test(pump, back_pressure)
{
	static char buf[65536];
	size_t in = 0, out = 0;
	enum pump_state state = PUMP_STARVED;
	ssize_t n;

	while (state != PUMP_BLOCKED) {
		n = write(pipe_fds[1], buf, sizeof(buf));
		in += n > 0 ? (size_t)n : 0;
		state = pump_splice(pipe_fds[0], sock[0], true, NULL);
		cr_assert_neq(state, PUMP_EOF);
	}
	while ((n = write(pipe_fds[1], buf, sizeof(buf))) > 0)
		in += (size_t)n;
	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, NULL), PUMP_BLOCKED);
	close(pipe_fds[1]);
	while (state != PUMP_EOF) {
		while ((n = read(sock[1], buf, sizeof(buf))) > 0)
			out += (size_t)n;
		state = pump_splice(pipe_fds[0], sock[0], true, NULL);
	}
	while ((n = read(sock[1], buf, sizeof(buf))) > 0)
		out += (size_t)n;
	cr_assert_eq(in, out);
}

Test(pump, output_nobody_wants)
{
	close(sock[1]);
	cr_assert_eq(write(pipe_fds[1], "x", 1), 1);
	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, NULL), PUMP_BROKEN);
}

Test(pump, input)
{
	char buf[16];

	cr_assert_eq(pump_splice(sock[0], pipe_fds[1], false, NULL), PUMP_STARVED);
	cr_assert_eq(write(sock[1], "in", 2), 2);
	shutdown(sock[1], SHUT_WR);
	cr_assert_eq(pump_splice(sock[0], pipe_fds[1], false, NULL), PUMP_EOF);
	cr_assert_eq(read(pipe_fds[0], buf, sizeof(buf)), 2);
}

Test(pump, input_nobody_reads)
{
	static char buf[1 << 20];

	while (write(pipe_fds[1], buf, 4096) > 0)
		;
	cr_assert_gt(write(sock[1], buf, sizeof(buf)), 0);
	cr_assert_eq(pump_splice(sock[0], pipe_fds[1], false, NULL), PUMP_BLOCKED);
	close(pipe_fds[0]);
	cr_assert_eq(pump_splice(sock[0], pipe_fds[1], false, NULL), PUMP_BROKEN);
}

/* More than a turn's share is left for the next one, so that one stream cannot starve the others. */
Test(pump, takes_turns)
{
	static char buf[4096];
	struct pump_buffer buffer = {.begin = 0};
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC),
	    null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	cr_assert_eq(pump_copy(zero, null, &buffer, NULL), PUMP_MORE);
	cr_assert_eq(pump_copy(null, zero, &buffer, NULL), PUMP_EOF,
		     "a source that cannot be read");
	(void)buf;
	close(zero);
	close(null);
}

Test(pump, copy_keeps_what_does_not_fit)
{
	struct pump_buffer buffer = {.begin = 0};
	static char buf[65536];
	size_t in = 0, out = 0;
	ssize_t n;

	while (pump_copy(sock[0], pipe_fds[1], &buffer, NULL) != PUMP_BLOCKED) {
		n = write(sock[1], buf, sizeof(buf));
		in += n > 0 ? (size_t)n : 0;
	}
	cr_assert_gt(buffer.end, buffer.begin);
	shutdown(sock[1], SHUT_WR);
	while (pump_copy(sock[0], pipe_fds[1], &buffer, NULL) != PUMP_EOF) {
		while ((n = read(pipe_fds[0], buf, sizeof(buf))) > 0)
			out += (size_t)n;
	}
	while ((n = read(pipe_fds[0], buf, sizeof(buf))) > 0)
		out += (size_t)n;
	cr_assert_eq(in, out);
}

/* What an exec's children write after its end is nobody's. */
Test(pump, no_more_than_is_left)
{
	struct pump_buffer buffer = {0};
	size_t left = 5;
	char buf[16];

	cr_assert_eq(write(pipe_fds[1], "hello, you", 10), 10);
	cr_assert_eq(pump_splice(pipe_fds[0], sock[0], true, &left), PUMP_EOF);
	cr_assert_eq(read(sock[1], buf, sizeof(buf)), 5);
	left = 3;
	cr_assert_eq(pump_copy(pipe_fds[0], sock[0], &buffer, &left), PUMP_EOF);
	cr_assert_eq(read(sock[1], buf, sizeof(buf)), 3);
	cr_assert_eq(left, 0);
}
