/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The /init of the device tests. By its first argument on the kernel's command line (after "--"):
 *
 *	vsock	serves the ports below, tells the host on its port 1024 and runs until told to stop
 *	blk	tests the disks, with the host's help through marks on the console
 *
 *	10 echo   11 "N bytes, please" (8 bytes) -> the pattern, then its end   12 the pattern -> how many
 *	bytes were right, once the peer has shut down   13 never reads   14 ends the machine
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_POLL 1600
#define CHUNK    65536

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static void end_machine(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void pattern(uint64_t from, uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)((uint32_t)(from + i) * 2654435761u >> 24);
}

/* --- vsock --------------------------------------------------------------------------------- */

static int dial(unsigned port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static int listen_on(unsigned port)
{
	struct sockaddr_vm addr = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1024) < 0)
		say("guest: cannot listen on %u: %s\n", port, strerror(errno));
	return fd;
}

static void send_all(int fd, const uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t r = send(fd, buf, n, MSG_NOSIGNAL);

		if (r <= 0)
			_exit(1);
		buf += r;
		n -= (size_t)r;
	}
}

static void serve_source(int fd)
{
	static uint8_t buf[CHUNK];
	uint64_t total = 0;

	if (recv(fd, &total, sizeof(total), MSG_WAITALL) != sizeof(total))
		_exit(1);
	for (uint64_t at = 0; at < total;) {
		size_t n = total - at < CHUNK ? (size_t)(total - at) : CHUNK;

		pattern(at, buf, n);
		send_all(fd, buf, n);
		at += n;
	}
	shutdown(fd, SHUT_WR);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void serve_sink(int fd)
{
	static uint8_t buf[CHUNK], want[CHUNK];
	uint64_t at = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		pattern(at, want, (size_t)n);
		if (memcmp(buf, want, (size_t)n))
			break;
		at += (uint64_t)n;
	}
	send_all(fd, (uint8_t *)&at, sizeof(at));
}

static void serve_one(unsigned port, int fd)
{
	if (port != 10 && fork()) {
		close(fd);
		return;
	}
	switch (port) {
	case 11:
		serve_source(fd);
		break;
	case 12:
		serve_sink(fd);
		break;
	case 13:
		for (;;)
			pause();
	case 14:
		end_machine();
	}
	_exit(0);
}

static void echo(struct pollfd *p)
{
	uint8_t buf[4096];
	ssize_t n = recv(p->fd, buf, sizeof(buf), 0);

	if (n > 0 && send(p->fd, buf, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	close(p->fd);
	p->fd = -1;
}

/* Returns the new number of entries. */
static unsigned add_echo(struct pollfd *fds, unsigned n, int fd)
{
	for (unsigned i = 5; i < MAX_POLL; i++)
		if (fds[i].fd < 0) {
			fds[i] = (struct pollfd){.fd = fd, .events = POLLIN};
			return i < n ? n : i + 1;
		}
	close(fd);
	return n;
}

static void serve_vsock(void)
{
	static struct pollfd fds[MAX_POLL];
	const struct rlimit files = {4096, 4096};
	unsigned n = 5;
	int refused, fd;

	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGCHLD, SIG_IGN);
	for (unsigned i = 0; i < MAX_POLL; i++)
		fds[i].fd = -1;
	for (unsigned i = 0; i < 5; i++)
		fds[i] = (struct pollfd){.fd = listen_on(10 + i), .events = POLLIN};
	refused = dial(9999);
	fd = dial(1024);
	if (fd < 0)
		say("guest: cannot reach the host: %s\n", strerror(-fd));
	dprintf(fd, "ready, and %s\n", refused < 0 ? "refused" : "not refused");
	close(fd);
	for (;;) {
		while (n > 5 && fds[n - 1].fd < 0)
			n--;
		poll(fds, n, -1);
		for (unsigned i = 0; i < n; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			if (i >= 5) {
				echo(&fds[i]);
				continue;
			}
			fd = accept(fds[i].fd, NULL, NULL);
			if (i == 0)
				n = add_echo(fds, n, fd);
			else
				serve_one(10 + i, fd);
		}
	}
}

/* --- disks --------------------------------------------------------------------------------- */

static void check(int good, const char *name)
{
	say("%s %s%s%s\n", good ? "ok" : "not ok", name, good ? "" : ": ",
	    good ? "" : strerror(errno));
}

static uint64_t disk_size(const char *disk)
{
	char path[64];
	unsigned long long sectors = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/size", disk);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%llu", &sectors) != 1)
		sectors = 0;
	if (f)
		fclose(f);
	return sectors * 512;
}

/* Waits, with a limit, as the host cannot see when we have seen it. */
static int await_size(const char *disk, uint64_t size)
{
	for (unsigned i = 0; i < 500 && disk_size(disk) != size; i++)
		usleep(20000);
	return disk_size(disk) == size;
}

/* The whole of fd, in odd pieces, against the pattern from seed on. */
static int holds(int fd, uint64_t seed, uint64_t begin, uint64_t end)
{
	static uint8_t buf[CHUNK], want[CHUNK];

	for (uint64_t at = begin; at < end;) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		if (pread(fd, buf, n, (off_t)at) != (ssize_t)n)
			return 0;
		pattern(seed + at, want, n);
		if (memcmp(buf, want, n))
			return 0;
		at += n;
	}
	return 1;
}

static int zeroes(int fd, uint64_t begin, uint64_t end)
{
	static uint8_t buf[CHUNK];

	for (uint64_t at = begin; at < end;) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		if (pread(fd, buf, n, (off_t)at) != (ssize_t)n)
			return 0;
		for (size_t i = 0; i < n; i++)
			if (buf[i])
				return 0;
		at += n;
	}
	return 1;
}

/* Nothing that the guest still remembers. */
static void forget(int fd)
{
	ioctl(fd, BLKFLSBUF);
}

static void test_read_write(void)
{
	static uint8_t buf[CHUNK];
	uint64_t size = disk_size("vda"), range[2];
	int fd = open("/dev/vda", O_RDWR), r = 1;

	check(fd >= 0 && size == 16 << 20, "blk-size");
	check(holds(fd, 0, 0, size), "blk-read");
	for (uint64_t at = 0; at < size; at += CHUNK) {
		pattern(7 + at, buf, CHUNK);
		r &= pwrite(fd, buf, CHUNK, (off_t)at) == CHUNK;
	}
	check(r, "blk-write");
	check(!fsync(fd), "blk-flush");
	forget(fd);
	check(holds(fd, 7, 0, size), "blk-read-back");
	range[0] = 1 << 20;
	range[1] = 1 << 20;
	check(!ioctl(fd, BLKZEROOUT, range), "blk-write-zeroes");
	range[0] = 4 << 20;
	range[1] = 2 << 20;
	check(!ioctl(fd, BLKDISCARD, range), "blk-discard");
	forget(fd);
	check(zeroes(fd, 1 << 20, 2 << 20) && zeroes(fd, 4 << 20, 6 << 20) &&
		      holds(fd, 7, 0, 1 << 20) && holds(fd, 7, 2 << 20, 4 << 20) &&
		      holds(fd, 7, 6 << 20, size),
	      "blk-ranges-are-exact");
	close(fd);
}

static void test_read_only(void)
{
	char id[32] = "";
	int ro = 0, fd = open("/dev/vdb", O_RDONLY), f;

	check(!ioctl(fd, BLKROGET, &ro) && ro, "blk-read-only");
	check(holds(fd, 0, 0, disk_size("vdb")), "blk-read-only-read");
	close(fd);
	f = open("/sys/block/vdb/serial", O_RDONLY);
	check(read(f, id, sizeof(id) - 1) > 0 && !strncmp(id, "sbx1", 4), "blk-serial");
	close(f);
}

static int reads(const char *disk)
{
	char buf[512];
	int fd = open(disk, O_RDONLY), r;

	r = fd >= 0 && pread(fd, buf, sizeof(buf), 0) == sizeof(buf);
	close(fd);
	return r;
}

/* The host attaches 16 MiB to slot 2, takes it away, and attaches it read-only, at our marks. */
static void test_swap(void)
{
	int fd;

	check(disk_size("vdc") == 8 * 512 && !reads("/dev/vdc"), "blk-parked");
	say("guest: attach\n");
	check(await_size("vdc", 16 << 20), "blk-attach");
	fd = open("/dev/vdc", O_RDWR);
	check(holds(fd, 0, 0, 16 << 20), "blk-attached-read");
	check(pwrite(fd, "mark", 4, 4096) == 4 && !fsync(fd), "blk-attached-write");
	close(fd);
	say("guest: detach\n");
	check(await_size("vdc", 8 * 512) && !reads("/dev/vdc"), "blk-detach");
	say("guest: attach ro\n");
	check(await_size("vdc", 16 << 20) && reads("/dev/vdc"), "blk-attach-again");
	fd = open("/dev/vdc", O_RDWR);
	check(fd < 0 || pwrite(fd, "no", 2, 0) != 2 || fsync(fd), "blk-attached-read-only");
	close(fd);
}

static void test_rng(void)
{
	uint8_t a[64] = {0}, b[64] = {0};
	int fd = open("/dev/hwrng", O_RDONLY);

	check(fd >= 0 && read(fd, a, sizeof(a)) == sizeof(a) &&
		      read(fd, b, sizeof(b)) == sizeof(b) && memcmp(a, b, sizeof(a)),
	      "rng");
	close(fd);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int fd;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (!strcmp(mode, "vsock"))
		serve_vsock();
	if (!strcmp(mode, "blk")) {
		test_rng();
		test_read_write();
		test_read_only();
		test_swap();
	}
	say("guest: done\n");
	end_machine();
}
