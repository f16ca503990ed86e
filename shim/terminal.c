/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/cleanup.h"

/* There is one terminal; exit(3) calls back without an argument. */
static struct {
	int fd;
	struct termios saved;
} raw = {.fd = -1};

void terminal_restore(void)
{
	if (raw.fd < 0)
		return;
	tcsetattr(raw.fd, TCSADRAIN, &raw.saved);
	raw.fd = -1;
}

int terminal_find(void)
{
	static const int streams[] = {STDERR_FILENO, STDOUT_FILENO, STDIN_FILENO};
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		if (!isatty(streams[i]))
			continue;
		fd = fcntl(streams[i], F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? -errno : fd;
	}
	fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -ENOTTY : fd;
}

int terminal_make_raw(int fd, bool process_output)
{
	struct termios mode;

	if (tcgetattr(fd, &raw.saved) < 0)
		return -errno;
	mode = raw.saved;
	cfmakeraw(&mode);
	if (process_output)
		mode.c_oflag |= OPOST;
	/* Registered before the change, so that no exit can come between. */
	if (atexit(terminal_restore) != 0)
		return -ENOMEM;
	if (tcsetattr(fd, TCSADRAIN, &mode) < 0)
		return -errno;
	raw.fd = fd;
	return 0;
}

int terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_columns)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return -errno;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return 0;
}
