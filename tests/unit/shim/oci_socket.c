/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/oci_socket.h"

static char root[] = "/tmp/sbx-oci-socket-XXXXXX";
static struct err err = ERR_INIT;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(oci_socket, .init = set_up, .fini = tear_down);

/* As runc's own receivers do: a word that is not empty, and one descriptor. */
static int receive(int listener, const char *word)
{
	_cleanup_close_ int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char buf[64] = "";
	int fds[IO_MAX_FDS];
	size_t n;

	cr_assert_geq(peer, 0);
	cr_assert_eq(sock_recv(peer, buf, sizeof(buf) - 1, fds, &n, 0), (ssize_t)strlen(word));
	cr_assert_str_eq(buf, word);
	cr_assert_eq(n, 1);
	return fds[0];
}

Test(oci_socket, a_pidfd_is_the_process)
{
	_cleanup_close_ int dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), listener = -1,
			    pidfd = -1;
	struct pollfd end = {.events = POLLIN};
	char path[128];
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	cr_assert_eq(sock_listen_at(dirfd, "s", 1, &listener), 0);
	snprintf(path, sizeof(path), "%s/s", root);
	cr_assert_eq(oci_socket_send_pidfd(path, pid, &err), 0, "%s", err.msg);
	end.fd = pidfd = receive(listener, "pidfd");
	cr_assert_eq(poll(&end, 1, 0), 0);
	cr_assert_eq(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	cr_assert_eq(poll(&end, 1, 1000), 1);
}

Test(oci_socket, nobody_there)
{
	char path[128];

	cr_assert_eq(oci_socket_send_pidfd(NULL, getpid(), &err), 0);
	snprintf(path, sizeof(path), "%s/none", root);
	cr_assert_eq(oci_socket_send_pidfd(path, getpid(), &err), -ENOENT);
	cr_assert(strstr(err.msg, "--pidfd-socket") && strstr(err.msg, "/none"), "%s", err.msg);
	cr_assert_lt(oci_socket_send("--x", "/no/such/dir/s", "w", 0, &err), 0);
}
