/* SPDX-License-Identifier: Apache-2.0 */
/* Where shims listen, in a world of its own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/pod_socket.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	setenv("SBX_ROOT", root, 1);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(pod_socket, .init = set_up, .fini = tear_down);

Test(pod_socket, names_are_short_and_each_pods_own)
{
	char a[33], b[33], c[33];

	pod_socket_name("t", "ab", a);
	pod_socket_name("ta", "b", b);
	pod_socket_name("t", "ab", c);
	cr_assert_eq(strlen(a), 32);
	cr_assert_str_neq(a, b);
	cr_assert_str_eq(a, c);
}

Test(pod_socket, only_a_dead_one_is_removed_as_dead)
{
	_cleanup_close_ int dirfd = -1, fd = -1;
	char name[33];

	cr_assert_eq(pod_socket_dir(&dirfd, NULL, NULL), 0);
	pod_socket_name("t", "a", name);
	/* None at all is no mistake. */
	pod_socket_remove_dead("t", "a");
	cr_assert_eq(sock_listen_at(dirfd, name, 1, &fd), 0);
	pod_socket_remove_dead("t", "a");
	cr_assert_eq(faccessat(dirfd, name, F_OK, 0), 0);
	close_fd(&fd);
	pod_socket_remove_dead("t", "b");
	cr_assert_eq(faccessat(dirfd, name, F_OK, 0), 0);
	pod_socket_remove_dead("t", "a");
	cr_assert_eq(faccessat(dirfd, name, F_OK, 0), -1);
}

Test(pod_socket, one_that_lives_is_removed_where_that_is_asked)
{
	_cleanup_close_ int dirfd = -1, fd = -1;
	char name[33];

	cr_assert_eq(pod_socket_dir(&dirfd, NULL, NULL), 0);
	pod_socket_name("t", "a", name);
	cr_assert_eq(sock_listen_at(dirfd, name, 1, &fd), 0);
	pod_socket_remove("t", "a");
	cr_assert_eq(faccessat(dirfd, name, F_OK, 0), -1);
}
