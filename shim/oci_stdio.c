/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/oci_stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/oci_socket.h"

static const char *const uris[] = {"fd:0", "fd:1", "fd:2"};

/*
 * The shim makes its ends non-blocking, which all that share the open file would have to live with:
 * pipes and terminals are opened anew. What cannot be (a socket, another user's terminal) is not.
 */
static int open_own(int fd)
{
	char path[32];
	struct stat st;
	int own = -1, flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (own < 0)
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? -errno : own;
}

int oci_stdio_open(struct oci_stdio *ret, struct err *err)
{
	const char **names[] = {&ret->streams.in, &ret->streams.out, &ret->streams.err};

	ret->streams.n_fds = 0;
	for (int i = 0; i < 3; i++) {
		int fd = open_own(i);

		*names[i] = "";
		/* Closed: as /dev/null. */
		if (fd == -EBADF)
			continue;
		if (fd < 0)
			return err_set_errno(err, -fd, "standard stream %d", i);
		*names[i] = uris[ret->streams.n_fds];
		ret->fds[i] = ret->streams.fds[ret->streams.n_fds++] = fd;
	}
	return 0;
}

static int send_master(int master, const char *console_socket, struct err *err)
{
	char name[32];

	if (ptsname_r(master, name, sizeof(name)) != 0)
		return err_set_errno(err, errno, "the terminal's name");
	return oci_socket_send("--console-socket", console_socket, name, master, err);
}

static int open_pair(int *ret_master, int *ret_slave)
{
	_cleanup_close_ int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
	struct termios mode;

	if (master < 0 || unlockpt(master) < 0)
		return -errno;
	/* Not by its name, which may be another's in our mount namespace. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &mode) < 0)
		return -errno;
	cfmakeraw(&mode);
	if (tcsetattr(slave, TCSANOW, &mode) < 0)
		return -errno;
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

int oci_stdio_open_terminal(const char *console_socket, const struct spec_console_size *size,
			    struct oci_stdio *ret, struct err *err)
{
	_cleanup_close_ int master = -1, slave = -1, near = -1;
	int r = open_pair(&master, &slave);

	if (r < 0)
		return err_set_errno(err, -r, "cannot make a terminal");
	if (size && size->height.v <= USHRT_MAX && size->width.v <= USHRT_MAX) {
		const struct winsize ws = {
			.ws_row = (unsigned short)size->height.v,
			.ws_col = (unsigned short)size->width.v,
		};

		ioctl(master, TIOCSWINSZ, &ws);
	}
	r = send_master(master, console_socket, err);
	if (r < 0)
		return r;
	near = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	if (near < 0)
		return err_set_errno(err, errno, "dup");
	ret->terminal = TAKE_FD(near);
	ret->streams = (struct session_streams){
		.fds = {slave},
		.n_fds = 1,
		.in = uris[0],
		.out = uris[0],
		.err = "",
	};
	ret->fds[0] = TAKE_FD(slave);
	return 0;
}

void oci_stdio_close(struct oci_stdio *stdio)
{
	for (int i = 0; i < 3; i++)
		close_fd(&stdio->fds[i]);
	close_fd(&stdio->terminal);
}

int oci_stdio_check(bool terminal, const char *console_socket, struct err *err)
{
	if (terminal && !console_socket)
		return err_set(err, EINVAL,
			       "cannot allocate a terminal for a process that is left to itself "
			       "without --console-socket");
	if (!terminal && console_socket)
		return err_set(err, EINVAL, "--console-socket: the process wants no terminal");
	return 0;
}
