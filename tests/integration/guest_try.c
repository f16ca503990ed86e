/* SPDX-License-Identifier: Apache-2.0 */
/*
 * try WHAT [ARGUMENTS] - a program inside a container that tries one thing and prints how it went: "ok",
 * a value, or the error's text. Static: it is copied into images.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(long r)
{
	puts(r < 0 ? strerror(errno) : "ok");
	return 0;
}

/* Any system call: number, arguments. */
static int try_call(char **argv)
{
	unsigned long args[6] = {0};
	long nr = strtol(argv[0], NULL, 0);

	for (int i = 0; i < 6 && argv[i + 1]; i++)
		args[i] = strtoul(argv[i + 1], NULL, 0);
	return say(syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]));
}

static int try_open(char **argv)
{
	return say(open(argv[0], argv[1] && argv[1][0] == 'w' ? O_WRONLY : O_RDONLY));
}

/* Touches so many MiB. */
static int try_memory(char **argv)
{
	size_t n = strtoul(argv[0], NULL, 0) << 20;
	volatile char *p =
		mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return say(-1);
	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
	return say(0);
}

/* So many children at once. */
static int try_fork(char **argv)
{
	long n = strtol(argv[0], NULL, 0), r = 0;

	for (long i = 0; i < n && r >= 0; i++) {
		r = fork();
		if (r == 0) {
			pause();
			_exit(0);
		}
	}
	say(r);
	fflush(stdout);
	return kill(0, SIGTERM);
}

static int try_sched(char **argv)
{
	struct sched_param param;

	if (sched_getparam(0, &param) < 0)
		return say(-1);
	errno = 0;
	printf("policy %d priority %d nice %d ioprio %#lx\n", sched_getscheduler(0),
	       param.sched_priority, nice(0), syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
	return 0;
}

static int try_cpus(char **argv)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return say(-1);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			printf("%d\n", i);
	return 0;
}

/* Who has the session keyring: KEYCTL_DESCRIBE of KEY_SPEC_SESSION_KEYRING. */
static int try_keyring(char **argv)
{
	char text[256] = "", *end;
	unsigned int uid;

	if (syscall(SYS_keyctl, 6, -3, text, sizeof(text) - 1) < 0)
		return say(-1);
	end = strrchr(text, ';');
	if (sscanf(text, "keyring;%u;", &uid) != 1 || !end)
		return puts(text);
	printf("%u %s\n", uid, end + 1);
	return 0;
}

/* When a file was made, which only statx(2) tells. */
static int try_btime(char **argv)
{
	struct statx stx;
	int r = statx(AT_FDCWD, argv[0], 0, STATX_BTIME, &stx);

	if (r == 0 && !(stx.stx_mask & STATX_BTIME)) {
		errno = ENODATA;
		r = -1;
	}
	return say(r);
}

static int try_fsync(char **argv)
{
	int fd = open(argv[0], O_RDONLY);

	return say(fd < 0 || fsync(fd) < 0 ? -1 : fdatasync(fd));
}

static int try_vsock(char **argv)
{
	return say(socket(AF_VSOCK, SOCK_STREAM, 0));
}

/* The same by the 32-bit multiplexer: socketcall(SYS_SOCKET). Its arguments lie below 4 GiB. */
static int try_vsock32(char **argv)
{
	unsigned int *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r;

	if (args == MAP_FAILED)
		return say(-1);
	args[0] = AF_VSOCK;
	args[1] = SOCK_STREAM;
	args[2] = 0;
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(102L), "b"(1L), "c"((long)args)
			 : "memory", "r8", "r9", "r10", "r11");
	errno = (int)r < 0 ? -(int)r : 0;
	return say((int)r < 0 ? -1 : 0);
}

static const struct {
	const char *name;
	int (*fn)(char **argv);
} things[] = {
	{"call", try_call},   {"open", try_open},       {"memory", try_memory},
	{"fork", try_fork},   {"sched", try_sched},     {"cpus", try_cpus},
	{"vsock", try_vsock}, {"vsock32", try_vsock32}, {"keyring", try_keyring},
	{"btime", try_btime}, {"fsync", try_fsync},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(things) / sizeof(things[0]); i++)
		if (!strcmp(argv[1], things[i].name))
			return things[i].fn(argv + 2);
	fprintf(stderr, "try: what?\n");
	return 2;
}
