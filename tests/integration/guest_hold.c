/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in a container that holds what the kernel locks for it: the memory that its call reads or
 * writes is never there. Static: it is copied into images. Ends only when it is killed.
 *
 *	hold write FD		the lock of a pipe, with bytes in it
 *	hold read FD		the same from the other side
 *	hold winsize FD		a lock of a terminal
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define PAGE 4096u

/* More than a pipe takes at once: the writer is back for more, and holds the lock with bytes in it. */
#define THERE (68u << 10)

/* THERE bytes that are there, and a page that never comes. */
static char *memory(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	char *at;

	at = mmap(NULL, THERE + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || at == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) < 0)
		return NULL;
	memset(at, 'x', THERE);
	range.range = (struct uffdio_range){(unsigned long)at + THERE, PAGE};
	return ioctl(fd, UFFDIO_REGISTER, &range) < 0 ? NULL : at;
}

int main(int argc, char **argv)
{
	char *at = memory();
	int fd;

	if (argc != 3 || !at) {
		perror("hold");
		return 2;
	}
	fd = atoi(argv[2]);
	if (!strcmp(argv[1], "write"))
		return (int)write(fd, at, THERE + PAGE);
	if (!strcmp(argv[1], "read"))
		return (int)read(fd, at + THERE, PAGE);
	return ioctl(fd, TIOCGWINSZ, at + THERE);
}
