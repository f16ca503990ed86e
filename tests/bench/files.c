/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: what programs do with files, and how long it takes: a line "WHAT AMOUNT NANOSECONDS" each, the
 * amount being bytes, or operations where WHAT says "4 KiB" or "files".
 *
 *	files DIR TIMES		in a directory of this machine
 *	/init disk TIMES	as a machine's first process, on its first disk, which holds an ext4
 *	/init share TIMES	or on what it shares; the machine ends with it
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000
#define SIZE     (8u << 20)  /* of the file that data is moved to and from */
#define CHUNK    (64u << 10) /* at a time, one after the other */
#define PAGE     4096u       /* at a time, here and there */
#define N_PAGES  500
#define N_FILES  200
#define WAITS    500
#define WAIT_US  10000

static char chunk[CHUNK];
static bool own_machine;

static void die(const char *what)
{
	printf("failed: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	if (own_machine)
		reboot(RB_AUTOBOOT);
	exit(1);
}

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

static void report(const char *what, uint64_t amount, int64_t begin)
{
	printf("%s|%llu|%lld\n", what, (unsigned long long)amount, (long long)(now() - begin));
}

/* Nothing of it is in this machine's memory any more. */
static void forget(int fd)
{
	int drop;

	if (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fsync");
	drop = own_machine ? open("/proc/sys/vm/drop_caches", O_WRONLY) : -1;
	if (drop >= 0) {
		if (write(drop, "3", 1) != 1)
			die("drop_caches");
		close(drop);
	}
}

static void sequential(int fd)
{
	int64_t begin = now();

	for (unsigned at = 0; at < SIZE; at += CHUNK)
		if (pwrite(fd, chunk, CHUNK, at) != CHUNK)
			die("write");
	if (fsync(fd) < 0)
		die("fsync");
	report("sequential write", SIZE, begin);
	forget(fd);
	begin = now();
	for (unsigned at = 0; at < SIZE; at += CHUNK)
		if (pread(fd, chunk, CHUNK, at) != CHUNK)
			die("read");
	report("sequential read", SIZE, begin);
}

/* A page somewhere, the same ones each time. */
static off_t somewhere(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (off_t)(*seed >> 8) % (SIZE / PAGE) * PAGE;
}

static void at_random(int fd)
{
	uint32_t seed = 1;
	int64_t begin;

	forget(fd);
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		die("fadvise");
	begin = now();
	for (unsigned i = 0; i < N_PAGES; i++)
		if (pread(fd, chunk, PAGE, somewhere(&seed)) != PAGE)
			die("read");
	report("random read, 4 KiB", N_PAGES, begin);
	forget(fd);
	begin = now();
	for (unsigned i = 0; i < N_PAGES; i++)
		if (pwrite(fd, chunk, PAGE, somewhere(&seed)) != PAGE)
			die("write");
	if (fsync(fd) < 0)
		die("fsync");
	report("random write, 4 KiB", N_PAGES, begin);
}

static const char *file_name(unsigned i, char c)
{
	static char name[2][32];
	char *to = name[c != 'f'];

	snprintf(to, sizeof(name[0]), "files/%c%u", c, i);
	return to;
}

static void create_files(void)
{
	int64_t begin = now();

	for (unsigned i = 0; i < N_FILES; i++) {
		int fd = open(file_name(i, 'f'), O_WRONLY | O_CREAT | O_EXCL, 0644);

		if (fd < 0 || write(fd, "x", 1) != 1)
			die("create");
		close(fd);
	}
	report("files made", N_FILES, begin);
}

static void look_at_files(void)
{
	int64_t begin = now();
	unsigned n = 0;
	struct dirent *entry;
	struct stat st;
	DIR *dir = opendir("files");

	if (!dir)
		die("opendir");
	while ((entry = readdir(dir)))
		n += fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	closedir(dir);
	if (n != N_FILES + 2)
		die("readdir");
	report("files listed and looked at", N_FILES, begin);
}

static void metadata(int dir)
{
	int64_t begin;

	if (mkdir("files", 0755) < 0)
		die("mkdir");
	create_files();
	forget(dir);
	look_at_files();
	begin = now();
	for (unsigned i = 0; i < N_FILES; i++)
		if (rename(file_name(i, 'f'), file_name(i, 'g')) < 0)
			die("rename");
	report("files renamed", N_FILES, begin);
	begin = now();
	for (unsigned i = 0; i < N_FILES; i++)
		if (unlink(file_name(i, 'g')) < 0)
			die("unlink");
	report("files removed", N_FILES, begin);
	if (rmdir("files") < 0)
		die("rmdir");
}

/* Disk and share: the files are in a directory r. */
static void enter_own(const char *what)
{
	bool disk = !strcmp(what, "disk");

	own_machine = true;
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mkdir("/mnt", 0755);
	/* sbx-vmm is told what it shares, and the roots in it, while the guest boots. */
	for (int i = 0;
	     mount(disk ? "/dev/vda" : "sbx", "/mnt", disk ? "ext4" : "virtiofs", 0, NULL) < 0;
	     i++) {
		if (i == WAITS)
			die("mount");
		usleep(WAIT_US);
	}
	if (disk)
		mkdir("/mnt/r", 0755);
	for (int i = 0; chdir("/mnt/r") < 0; i++) {
		if (i == WAITS)
			die("/mnt/r");
		usleep(WAIT_US);
	}
}

int main(int argc, char **argv)
{
	int dir, fd;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[0], "/init"))
		enter_own(argv[1]);
	else if (chdir(argv[1]) < 0)
		die(argv[1]);
	memset(chunk, 'x', sizeof(chunk));
	dir = open(".", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < atoi(argv[2]); i++) {
		fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
		if (fd < 0)
			die("data");
		sequential(fd);
		at_random(fd);
		close(fd);
		unlink("data");
		metadata(dir);
	}
	fflush(stdout);
	if (own_machine) {
		sync();
		reboot(RB_AUTOBOOT);
	}
	return 0;
}
