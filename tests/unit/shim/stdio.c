/* SPDX-License-Identifier: Apache-2.0 */
/* Streams between fifos and files on one side, and a guest that dials the hub on the other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/io.h"
#include "common/loop.h"
#include "shim/stdio.h"
#include "shim/stream_hub.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";
static struct loop *loop;
static struct stream_hub *hub;
static struct stdio *streams;
static Agent__Streams ids = AGENT__STREAMS__INIT;
static int dirfd = -1;
static bool drained;
static char in_path[64], out_path[64], err_path[64];

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	cr_assert_not_null(mkdtemp(root));
	dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(stream_hub_create(loop, dirfd, &hub), 0);
	snprintf(in_path, sizeof(in_path), "%s/in", root);
	snprintf(out_path, sizeof(out_path), "%s/out", root);
	snprintf(err_path, sizeof(err_path), "file://%s/err", root);
	cr_assert_eq(mkfifo(in_path, 0600), 0);
	cr_assert_eq(mkfifo(out_path, 0600), 0);
}

static void tear_down(void)
{
	stdio_destroy(streams);
	stream_hub_destroy(hub);
	loop_destroy(loop);
	close_fd(&dirfd);
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(stdio, .init = set_up, .fini = tear_down);

static void on_drained(struct stdio *stdio, void *data)
{
	drained = true;
}

static void turn(void)
{
	for (int i = 0; i < 5; i++)
		cr_assert_eq(loop_turn(loop, 5), 0);
}

static void make(bool terminal)
{
	const struct stdio_request request = {.terminal = terminal,
					      .clear_onlcr = terminal,
					      .in = in_path,
					      .out = out_path,
					      .err = terminal ? "" : err_path};
	struct err err = ERR_INIT;

	cr_assert_eq(stdio_create(loop, NULL, &request, on_drained, NULL, &streams, &err), 0, "%s",
		     err.msg);
	cr_assert_eq(stdio_expect(streams, hub, &ids), 0);
}

static int dial(uint64_t id)
{
	uint8_t buf[8];
	struct bytes_out out = bytes_out_of(buf, sizeof(buf));
	int fd;

	bytes_put_le64(&out, id);
	cr_assert_eq(sock_connect_at(dirfd, "vsock_1025", &fd), 0);
	cr_assert_eq(write(fd, buf, sizeof(buf)), 8);
	turn();
	return fd;
}

static void check_read(int fd, const char *want)
{
	char buf[64] = "";
	ssize_t n;

	turn();
	n = read(fd, buf, sizeof(buf) - 1);
	cr_assert_eq(n, (ssize_t)strlen(want));
	cr_assert_str_eq(buf, want);
}

Test(stdio, three_streams)
{
	_cleanup_close_ int in = open(in_path, O_RDWR | O_CLOEXEC), out, err;
	int guest_in, guest_out, guest_err;
	char byte;

	make(false);
	cr_assert_not(ids.clear_onlcr);
	cr_assert(ids.stdin && ids.stdout && ids.stderr);
	guest_out = dial(ids.stdout);
	guest_in = dial(ids.stdin);
	guest_err = dial(ids.stderr);
	out = open(out_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_eq(write(in, "input", 5), 5);
	check_read(guest_in, "input");
	cr_assert_eq(write(guest_out, "output", 6), 6);
	check_read(out, "output");
	cr_assert_eq(write(guest_err, "error", 5), 5);
	turn();
	err = openat(dirfd, "err", O_RDONLY | O_CLOEXEC);
	check_read(err, "error");
	close(guest_out);
	turn();
	cr_assert_not(drained, "stderr is open still");
	close(guest_err);
	turn();
	cr_assert(drained);
	cr_assert(stdio_is_drained(streams));
	cr_assert_eq(recv(guest_in, &byte, 1, MSG_DONTWAIT), -1);
	close(guest_in);
}

Test(stdio, a_fifo_ends_when_the_client_says_so)
{
	_cleanup_close_ int in = open(in_path, O_RDWR | O_CLOEXEC);
	int guest_in;
	char byte;

	make(false);
	guest_in = dial(ids.stdin);
	cr_assert_eq(write(in, "x", 1), 1);
	close_fd(&in);
	check_read(guest_in, "x");
	cr_assert_eq(recv(guest_in, &byte, 1, MSG_DONTWAIT), -1, "writers come and go");
	stdio_close_stdin(streams);
	turn();
	cr_assert_eq(recv(guest_in, &byte, 1, MSG_DONTWAIT), 0);
	close(guest_in);
}

Test(stdio, a_terminal_is_one_connection)
{
	_cleanup_close_ int in = open(in_path, O_RDWR | O_CLOEXEC), out;
	int guest;

	make(true);
	cr_assert(ids.clear_onlcr);
	cr_assert(!ids.stdin && ids.stdout && !ids.stderr);
	guest = dial(ids.stdout);
	out = open(out_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert_eq(write(in, "keys", 4), 4);
	check_read(guest, "keys");
	cr_assert_eq(write(guest, "screen", 6), 6);
	check_read(out, "screen");
	close(guest);
	turn();
	cr_assert(drained);
}

Test(stdio, wrong_callers_are_turned_away)
{
	char byte;
	int fd;

	make(false);
	fd = dial(ids.stdout + 1);
	cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
	fd = dial(0);
	cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	close(fd);
	close(dial(ids.stdout));
	fd = dial(ids.stdout);
	cr_assert_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0, "an id is good once");
	close(fd);
}

Test(stdio, callers_are_bounded)
{
	int fds[80], closed = 0;
	char byte;

	make(false);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cr_assert_eq(sock_connect_at(dirfd, "vsock_1025", &fds[i]), 0);
		turn();
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		closed += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
		close(fds[i]);
	}
	cr_assert_eq(closed, 80 - 64);
	turn();
	close(dial(ids.stdout));
	turn();
	cr_assert_not(stdio_is_drained(streams), "stderr is open still");
}

Test(stdio, dropping_drains)
{
	make(false);
	stdio_drop(streams);
	cr_assert(stdio_is_drained(streams));
	turn();
	cr_assert(drained);
}

Test(stdio, nothing_is_drained)
{
	const struct stdio_request request = {.in = "", .out = "", .err = ""};

	cr_assert_eq(stdio_create(loop, NULL, &request, on_drained, NULL, &streams, NULL), 0);
	cr_assert_eq(stdio_expect(streams, hub, &ids), 0);
	cr_assert(!ids.stdin && !ids.stdout && !ids.stderr);
	turn();
	cr_assert(drained);
}

Test(stdio, refuses_forms_by_name)
{
	static const char *const forms[] = {
		"binary:///bin/log",  "relative",        "fd:0",      "fd:x",      "fd:99",
		"file:///dev/null/x", "file://relative", "/dev/null", "tcp://host"};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct stdio_request request = {.in = "", .out = forms[i], .err = ""};
		struct stdio *none = NULL;
		struct err err = ERR_INIT;

		cr_assert_lt(stdio_create(loop, NULL, &request, on_drained, NULL, &none, &err), 0,
			     "%s", forms[i]);
		cr_assert_neq(err.msg[0], '\0');
	}
}

static struct stat stat_of(const char *name)
{
	struct stat st;

	cr_assert_eq(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0, "%s", name);
	return st;
}

/* As containerd's callers name it, and as who collects logs can read it. */
Test(stdio, a_log_file_and_its_parents_are_made)
{
	_cleanup_close_ int in = open(in_path, O_RDWR | O_CLOEXEC), log = -1;
	int guest_err;

	umask(0077);
	snprintf(err_path, sizeof(err_path), "file://%s/a/b/my%%20log", root);
	make(false);
	cr_assert_eq(umask(0022), 0077, "the caller's mask is as it was");
	guest_err = dial(ids.stderr);
	cr_assert_eq(write(guest_err, "error", 5), 5);
	turn();
	log = openat(dirfd, "a/b/my log", O_RDONLY | O_CLOEXEC);
	check_read(log, "error");
	cr_assert_eq(stat_of("a").st_mode & 07777, 0755);
	cr_assert_eq(stat_of("a/b").st_mode & 07777, 0755);
	cr_assert_eq(stat_of("a/b/my log").st_mode & 07777, 0644);
	close(guest_err);
}

Test(stdio, a_log_file_is_no_link)
{
	struct stdio_request request = {.in = "", .out = "", .err = err_path};
	struct err err = ERR_INIT;

	cr_assert_eq(symlinkat("elsewhere", dirfd, "err"), 0);
	cr_assert_eq(stdio_create(loop, NULL, &request, on_drained, NULL, &streams, &err), -ELOOP);
}
