/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

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

int terminal_make_raw(int fd)
{
	struct termios mode;

	if (tcgetattr(fd, &raw.saved) < 0)
		return -errno;
	mode = raw.saved;
	cfmakeraw(&mode);
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
