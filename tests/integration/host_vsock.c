/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the vsock test, whichever monitor runs the guest (guest_virtio.c, mode vsock):
 *
 *	host_vsock DIR MIB CONNECTIONS COMMAND...
 *
 * Waits on DIR/vsock_1024, runs COMMAND, waits for the guest to say that it is ready, tests, ends the
 * guest, and expects COMMAND to end with status 0. Prints "ok NAME" or "not ok NAME: why".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/log.h"
#include "common/loop.h"

#define CHUNK       65536u
#define ROUND_TRIPS 100
#define PATIENCE    30 /* seconds for any single answer */

static int dirfd;
static bool failed;

static void result(bool good, const char *name, const char *why)
{
	printf(good ? "ok %s\n" : "not ok %s: %s\n", name, why);
	fflush(stdout);
	failed |= !good;
}

static void pattern(uint64_t from, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)((uint32_t)(from + i) * 2654435761u >> 24);
}

static void be_patient(int fd)
{
	const struct timeval limit = {.tv_sec = PATIENCE};

	io_set_nonblock(fd, false);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Says CONNECT, does not wait. */
static int greet(unsigned port)
{
	char line[32];
	int fd = -1, n = snprintf(line, sizeof(line), "CONNECT %u\n", port);

	if (sock_connect_at(dirfd, "vsock", &fd) < 0)
		return -1;
	be_patient(fd);
	if (io_write_full(fd, line, (size_t)n) < 0)
		close_fd(&fd);
	return fd;
}

/* Reads "OK <port>\n" and no byte more. */
static bool read_ok(int fd)
{
	char line[32];
	size_t n = 0;

	while (n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return n > 3 && !strncmp(line, "OK ", 3) && line[n - 1] == '\n';
}

static int dial(unsigned port)
{
	int fd = greet(port);

	if (fd >= 0 && !read_ok(fd))
		close_fd(&fd);
	return fd;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void test_echo(void)
{
	_cleanup_close_ int fd = dial(10);
	char buf[5] = "";

	result(fd >= 0 && io_write_full(fd, "hello", 5) == 0 && io_read_full(fd, buf, 5) == 0 &&
		       !memcmp(buf, "hello", 5),
	       "vsock-echo", strerror(errno));
}

static void test_refused(void)
{
	_cleanup_close_ int fd = greet(77);
	char c;

	result(fd >= 0 && recv(fd, &c, 1, 0) == 0, "vsock-refused", "not closed without a word");
}

static void test_round_trips(void)
{
	_cleanup_close_ int fd = dial(10);
	uint64_t begin = now_ns();
	unsigned i;
	char c = 'x';

	for (i = 0; i < ROUND_TRIPS; i++)
		if (io_write_full(fd, &c, 1) < 0 || io_read_full(fd, &c, 1) < 0)
			break;
	printf("# %.0f us per round trip\n", (double)(now_ns() - begin) / 1e3 / ROUND_TRIPS);
	result(i == ROUND_TRIPS, "vsock-round-trips", strerror(errno));
}

static void test_many(unsigned n)
{
	int *fds = calloc(n, sizeof(*fds));
	unsigned connected = 0, answered = 0;

	for (unsigned i = 0; i < n; i++) {
		fds[i] = dial(10);
		connected += fds[i] >= 0;
	}
	for (unsigned i = 0; i < n; i++)
		io_write_full(fds[i], &i, sizeof(i));
	for (unsigned i = 0; i < n; i++) {
		unsigned got = 0;

		answered += io_read_full(fds[i], &got, sizeof(got)) == 0 && got == i;
	}
	for (unsigned i = 0; i < n; i++)
		close_fd(&fds[i]);
	free(fds);
	result(connected == n, "vsock-many-connect", "not all");
	result(answered == n, "vsock-many-answer", "not all");
}

static void rate(const char *what, uint64_t bytes, uint64_t begin)
{
	printf("# %s: %.0f MiB/s\n", what,
	       (double)bytes / (1 << 20) / ((double)(now_ns() - begin) / 1e9));
}

/* Reads the pattern up to its end. Returns how many bytes were right. */
static uint64_t pull(int fd, uint64_t total)
{
	static uint8_t buf[CHUNK], want[CHUNK];
	uint64_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		pattern(at, want, (size_t)n);
		if (memcmp(buf, want, (size_t)n))
			return 0;
		at += (uint64_t)n;
	}
	return n == 0 && at == total ? at : 0;
}

static void test_pull(uint64_t total)
{
	_cleanup_close_ int fd = dial(11);
	uint64_t begin = now_ns();

	io_write_full(fd, &total, sizeof(total));
	result(pull(fd, total) == total, "vsock-out", "bytes are wrong or missing");
	rate("guest to host", total, begin);
}

static void test_slow_reader(const char *name, uint64_t total)
{
	_cleanup_close_ int fd = dial(11);

	io_write_full(fd, &total, sizeof(total));
	usleep(500000);
	result(pull(fd, total) == total, name, "bytes are wrong or missing");
}

/* What the guest sends after our end still arrives, so this is the half-close test too. */
static void test_push(uint64_t total)
{
	_cleanup_close_ int fd = dial(12);
	static uint8_t buf[CHUNK];
	uint64_t got = 0, begin = now_ns();
	char c;

	for (uint64_t at = 0; at < total; at += CHUNK) {
		pattern(at, buf, CHUNK);
		if (io_write_full(fd, buf, CHUNK) < 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	result(io_read_full(fd, &got, sizeof(got)) == 0 && got == total, "vsock-in",
	       "bytes are wrong or missing");
	result(recv(fd, &c, 1, 0) == 0, "vsock-half-close", "no end after the answer");
	rate("host to guest", total, begin);
}

static void test_back_pressure(void)
{
	_cleanup_close_ int fd = dial(13);
	static uint8_t buf[CHUNK];
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t taken = 0;
	ssize_t n;

	while (taken < 64u << 20 && poll(&p, 1, 1000) > 0 &&
	       (n = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		taken += (size_t)n;
	printf("# a guest that never reads takes %zu KiB\n", taken >> 10);
	result(taken > 0 && taken < 2u << 20, "vsock-back-pressure", "it takes too much");
}

static void wait_ready(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	char line[64] = "";
	int fd;

	if (poll(&p, 1, PATIENCE * 1000) <= 0)
		fatal("not ok vsock-ready: the guest has not called");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	be_patient(fd);
	for (size_t n = 0; n < sizeof(line) - 1 && recv(fd, line + n, 1, 0) == 1;)
		n++;
	result(!strcmp(line, "ready, and refused\n"), "vsock-guest-connects", line);
	close(fd);
}

static pid_t run(char **argv)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	execvp(argv[0], argv);
	fatal("%s: %s", argv[0], strerror(errno));
}

int main(int argc, char **argv)
{
	const struct rlimit files = {8192, 8192};
	int listener, stop, status = -1;
	uint64_t bytes;
	pid_t pid;

	if (argc < 5)
		fatal("host_vsock DIR MIB CONNECTIONS COMMAND...");
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	dirfd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || sock_listen_at(dirfd, "vsock_1024", 8, &listener) < 0)
		fatal("%s: %s", argv[1], strerror(errno));
	bytes = strtoull(argv[2], NULL, 10) << 20;
	pid = run(argv + 4);
	wait_ready(listener);
	test_echo();
	test_refused();
	test_round_trips();
	test_pull(bytes);
	test_push(bytes);
	test_slow_reader("vsock-out-slow-reader", bytes / 4);
	/* Its buffer comes from elsewhere: the allocator has learned of the first one's end. */
	test_slow_reader("vsock-out-another", bytes / 4);
	test_back_pressure();
	test_many((unsigned)atoi(argv[3]));
	stop = greet(14); /* kept open: the guest might never hear of a connection that has gone */
	waitpid(pid, &status, 0);
	close(stop);
	result(status == 0, "vsock-end", "the monitor failed");
	return failed;
}
