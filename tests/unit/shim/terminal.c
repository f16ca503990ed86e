/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/terminal.h"

static int master, slave;

/* No stream is a terminal, and there is no controlling one: each test is a process of its own. */
static void set_up(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	cr_assert(setsid() >= 0 || errno == EPERM);
	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(master >= 0 && unlockpt(master) == 0);
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(slave >= 0);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
}

TestSuite(terminal, .init = set_up);

static bool is_ours(int fd)
{
	struct winsize size = {.ws_row = 12, .ws_col = 34};
	uint32_t rows, columns;

	ioctl(master, TIOCSWINSZ, &size);
	return fd >= 0 && terminal_size(fd, &rows, &columns) == 0 && rows == 12 && columns == 34;
}

Test(terminal, any_stream_will_do)
{
	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int saved = fcntl(i, F_DUPFD_CLOEXEC, 3), fd = -1;

		dup2(slave, i);
		fd = terminal_find();
		cr_assert(is_ours(fd), "stream %d", i);
		dup2(saved, i);
	}
}

Test(terminal, the_controlling_one_will_do)
{
	_cleanup_close_ int fd = terminal_find();

	/* Where we could not leave the one that the tests were started on, there is nothing to be seen. */
	if (getsid(0) != getpid())
		cr_skip_test("not a session leader");
	cr_assert_eq(fd, -ENOTTY);
	cr_assert_eq(ioctl(slave, TIOCSCTTY, 0), 0);
	fd = terminal_find();
	cr_assert(is_ours(fd));
}

static tcflag_t output_flags(tcflag_t *ret_local)
{
	struct termios mode;

	cr_assert_eq(tcgetattr(slave, &mode), 0);
	*ret_local = mode.c_lflag;
	return mode.c_oflag;
}

Test(terminal, raw_and_back)
{
	tcflag_t local_before, local, before = output_flags(&local_before);

	cr_assert(before & OPOST && before & ONLCR && local_before & ICANON);
	cr_assert_eq(terminal_make_raw(slave, false), 0);
	cr_assert_not(output_flags(&local) & OPOST);
	cr_assert_not(local & (ICANON | ECHO | ISIG));
	terminal_restore();
	cr_assert_eq(output_flags(&local), before);
	cr_assert_eq(local, local_before);
	/* A newline's carriage return is still ours to make. */
	cr_assert_eq(terminal_make_raw(slave, true), 0);
	cr_assert_eq(output_flags(&local), before);
	cr_assert_not(local & (ICANON | ECHO | ISIG));
	terminal_restore();
	cr_assert_eq(output_flags(&local), before);
	cr_assert_eq(terminal_make_raw(0, false), -ENOTTY);
}
