/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "agent/relay.h"
#include "common/loop.h"

static struct loop *loop;
static struct relay *relay;
static int ended;

static void on_ended(void *data)
{
	ended++;
	relay_close(relay);
	relay = NULL;
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(loop_create(&loop), 0);
}

static void teardown(void)
{
	if (relay) {
		relay_close(relay);
		/* Its thread ends, and then its memory goes. */
		loop_turn(loop, 5000);
	}
	loop_destroy(loop);
}

TestSuite(relay, .init = setup, .fini = teardown, .timeout = 30);

/* A lane with a socket pair and a pipe. Returns the host's end and, in *pipe_end, the process's. */
static int make(struct relay_lane *lane, enum relay_kind kind, int *pipe_end)
{
	bool input = kind == RELAY_INPUT;
	int sock[2], fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(sock[0], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(fcntl(fds[input ? 1 : 0], F_SETFL, O_NONBLOCK), 0);
	*lane = (struct relay_lane){kind, sock[0], fds[input ? 1 : 0]};
	*pipe_end = fds[input ? 0 : 1];
	return sock[1];
}

static void expect(int fd, const char *text)
{
	char buf[64] = "";
	size_t n = 0;

	while (n < strlen(text)) {
		ssize_t r = read(fd, buf + n, strlen(text) - n);

		cr_assert_gt(r, 0);
		n += (size_t)r;
	}
	cr_assert_str_eq(buf, text);
}

static void wait_for_end(void)
{
	while (!ended)
		cr_assert_eq(loop_turn(loop, 5000), 0);
}

static void start_both(int *in, int *in_pipe, int *out, int *out_pipe)
{
	struct relay_lane lanes[2];

	*in = make(&lanes[0], RELAY_INPUT, in_pipe);
	*out = make(&lanes[1], RELAY_OUTPUT, out_pipe);
	cr_assert_eq(relay_start(loop, lanes, 2, on_ended, NULL, &relay), 0);
}

Test(relay, moves_until_every_lane_has_ended)
{
	int in, in_pipe, out, out_pipe;
	char byte;

	start_both(&in, &in_pipe, &out, &out_pipe);
	cr_assert_eq(write(in, "asked", 5), 5);
	expect(in_pipe, "asked");
	cr_assert_eq(write(out_pipe, "answered", 8), 8);
	expect(out, "answered");
	close(out_pipe);
	cr_assert_eq(read(out, &byte, 1), 0, "the host sees the output's end");
	cr_assert_eq(write(in, "more", 4), 4);
	expect(in_pipe, "more");
	cr_assert_eq(ended, 0);
	close(in);
	cr_assert_eq(read(in_pipe, &byte, 1), 0);
	wait_for_end();
	cr_assert_eq(ended, 1);
	close(out);
	close(in_pipe);
}

Test(relay, input_ends_after_what_was_sent)
{
	struct relay_lane lane;
	int in, in_pipe;
	char byte;

	in = make(&lane, RELAY_INPUT, &in_pipe);
	cr_assert_eq(write(in, "last words", 10), 10);
	cr_assert_eq(relay_start(loop, &lane, 1, on_ended, NULL, &relay), 0);
	relay_end_input(relay);
	expect(in_pipe, "last words");
	cr_assert_eq(read(in_pipe, &byte, 1), 0);
	wait_for_end();
	close(in);
	close(in_pipe);
}

/* A child that an exec left behind holds the pipe, and never ceases to write. */
Test(relay, a_dead_process_has_said_what_the_pipe_holds)
{
	struct relay_lane lane;
	char buf[4096] = "dying";
	int out, out_pipe;
	pid_t child;

	out = make(&lane, RELAY_OUTPUT, &out_pipe);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (write(out_pipe, buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	close(out_pipe);
	cr_assert_eq(relay_start(loop, &lane, 1, on_ended, NULL, &relay), 0);
	cr_assert_eq(read(out, buf, sizeof(buf)), sizeof(buf));
	relay_drain(relay);
	while (!ended) {
		cr_assert_eq(loop_turn(loop, 10), 0);
		while (recv(out, buf, sizeof(buf), MSG_DONTWAIT) > 0 && !ended)
			cr_assert_eq(loop_turn(loop, 0), 0);
	}
	kill(child, SIGKILL);
	close(out);
}

Test(relay, nothing_left_ends_at_once)
{
	int in, in_pipe, out, out_pipe;
	char byte;

	start_both(&in, &in_pipe, &out, &out_pipe);
	cr_assert_eq(write(out_pipe, "bye", 3), 3);
	relay_drain(relay);
	wait_for_end();
	expect(out, "bye");
	cr_assert_eq(read(out, &byte, 1), 0);
	close(out_pipe);
	close(in_pipe);
	close(out);
	close(in);
}

Test(relay, a_terminal_both_ways_and_its_size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), slave, sock[2];
	struct winsize size = {0};
	struct relay_lane lane;
	struct termios termios;
	char name[64];

	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	cr_assert_eq(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert_geq(slave, 0);
	cr_assert_eq(tcgetattr(slave, &termios), 0);
	cfmakeraw(&termios);
	cr_assert_eq(tcsetattr(slave, TCSANOW, &termios), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	cr_assert_eq(fcntl(sock[0], F_SETFL, O_NONBLOCK), 0);
	lane = (struct relay_lane){RELAY_TERMINAL, sock[0], master};
	cr_assert_eq(relay_start(loop, &lane, 1, on_ended, NULL, &relay), 0);
	relay_resize(relay, 50, 132);
	cr_assert_eq(write(sock[1], "typed", 5), 5);
	expect(slave, "typed");
	cr_assert_eq(write(slave, "shown", 5), 5);
	expect(sock[1], "shown");
	while (size.ws_row == 0)
		cr_assert_eq(ioctl(slave, TIOCGWINSZ, &size), 0);
	cr_assert_eq(size.ws_row, 50);
	cr_assert_eq(size.ws_col, 132);
	relay_drain(relay);
	wait_for_end();
	close(slave);
	close(sock[1]);
}

Test(relay, closing_it_tells_nobody)
{
	struct relay_lane lane;
	int out, out_pipe;
	char byte;

	out = make(&lane, RELAY_OUTPUT, &out_pipe);
	cr_assert_eq(relay_start(loop, &lane, 1, on_ended, NULL, &relay), 0);
	relay_close(relay);
	relay = NULL;
	cr_assert_eq(read(out, &byte, 1), 0);
	cr_assert_eq(loop_turn(loop, 5000), 0);
	cr_assert_eq(ended, 0);
	close(out);
	close(out_pipe);
}

/* A master that no process got: it hangs its terminal up. */
Test(relay, a_master_is_closed_beside_the_loop)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	char name[64], byte;

	cr_assert_eq(grantpt(master), 0);
	cr_assert_eq(unlockpt(master), 0);
	cr_assert_eq(ptsname_r(master, name, sizeof(name)), 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	relay_close_master(loop, master);
	cr_expect_leq(read(slave, &byte, 1), 0, "the end, or EIO");
	cr_assert_eq(loop_turn(loop, 5000), 0);
	close(slave);
}

Test(relay, there_are_not_too_many)
{
	struct relay *relays[64];
	struct relay_lane lane;
	int outs[64], pipes[64], n = 0, r;

	do {
		outs[n] = make(&lane, RELAY_OUTPUT, &pipes[n]);
		r = relay_start(loop, &lane, 1, NULL, NULL, &relays[n]);
	} while (r == 0 && ++n < 63);
	cr_assert_eq(r, -ENOBUFS);
	cr_expect_eq(n, 16);
	close(lane.sock);
	close(lane.fd);
	for (int i = 0; i < n; i++)
		relay_close(relays[i]);
	for (int i = 0; i <= n; i++) {
		close(outs[i]);
		close(pipes[i]);
	}
	/* Whose threads have ended count no more. */
	outs[0] = make(&lane, RELAY_OUTPUT, &pipes[0]);
	do
		cr_assert_eq(loop_turn(loop, 5000), 0);
	while ((r = relay_start(loop, &lane, 1, on_ended, NULL, &relay)) == -ENOBUFS);
	cr_assert_eq(r, 0);
	for (int i = 0; i < 16; i++)
		loop_turn(loop, 100);
	close(outs[0]);
	close(pipes[0]);
}
