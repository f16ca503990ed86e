/* SPDX-License-Identifier: Apache-2.0 */
#include "common/io.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"

static char dir[] = "/tmp/sbx-unit-XXXXXX";
static int dirfd_;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dirfd_, 0);
}

static void teardown(void)
{
	close(dirfd_);
	cr_assert_eq(io_remove_tree(AT_FDCWD, dir), 0);
}

TestSuite(io, .init = setup, .fini = teardown);
TestSuite(path, .init = setup, .fini = teardown);

Test(io, files_are_replaced_whole_and_read_within_bounds)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0;

	cr_assert_eq(io_write_atomic(dirfd_, "f", "one", 3, 0600), 0);
	cr_assert_eq(io_write_atomic(dirfd_, "f", "two!", 4, 0600), 0);
	cr_assert_eq(io_read_file(dirfd_, "f", 3, &data, &size), -EFBIG);
	cr_assert_eq(io_read_file(dirfd_, "f", 4, &data, &size), 0);
	cr_assert_eq(size, 4);
	cr_assert_str_eq(data, "two!");
	cr_assert_eq(io_read_file(dirfd_, "none", 4, &data, &size), -ENOENT);
}

Test(io, removing_a_tree_does_not_follow_links)
{
	cr_assert_eq(mkdirat(dirfd_, "tree", 0755), 0);
	cr_assert_eq(mkdirat(dirfd_, "tree/deep", 0755), 0);
	cr_assert_eq(io_write_atomic(dirfd_, "kept", "x", 1, 0600), 0);
	cr_assert_eq(symlinkat("../kept", dirfd_, "tree/link"), 0);
	cr_assert_eq(symlinkat("..", dirfd_, "tree/up"), 0);
	cr_assert_eq(io_remove_tree(dirfd_, "tree"), 0);
	cr_assert_neq(faccessat(dirfd_, "tree", F_OK, 0), 0);
	cr_assert_eq(faccessat(dirfd_, "kept", F_OK, 0), 0);
	cr_assert_eq(io_remove_tree(dirfd_, "tree"), 0, "what is not there is removed");
}

Test(io, descriptors_travel)
{
	int sv[2], fds[IO_MAX_FDS];
	size_t n = 0;
	char buf[8];
	struct stat a, b;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(sock_send(sv[0], "x", 1, &dirfd_, 1, 0), 1);
	cr_assert_eq(sock_recv(sv[1], buf, sizeof(buf), fds, &n, 0), 1);
	cr_assert_eq(n, 1);
	cr_assert(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(fstat(dirfd_, &a), 0);
	cr_assert_eq(fstat(fds[0], &b), 0);
	cr_assert_eq(a.st_ino, b.st_ino);
	close(fds[0]);
	close(sv[0]);
	close(sv[1]);
}

Test(io, sockets_by_a_name_in_a_directory)
{
	int listener = -1, client = -1;
	struct stat st;

	cr_assert_eq(sock_connect_at(dirfd_, "s", &client), -ENOENT);
	cr_assert_eq(sock_listen_at(dirfd_, "s", 1, &listener), 0);
	cr_assert_eq(fstatat(dirfd_, "s", &st, 0), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(sock_listen_at(dirfd_, "s", 1, &client), -EADDRINUSE);
	cr_assert_eq(sock_connect_at(dirfd_, "s", &client), 0);
	cr_assert_eq(sock_check_peer(client), 0);
	close(client);
	close(listener);
}

Test(path, links_and_dots_stay_inside_the_root)
{
	_cleanup_close_ int root = -1, in = -1, fd = -1;
	struct stat st, want;

	cr_assert_eq(mkdirat(dirfd_, "root", 0755), 0);
	cr_assert_eq(mkdirat(dirfd_, "root/etc", 0755), 0);
	cr_assert_eq(io_write_atomic(dirfd_, "secret", "x", 1, 0600), 0);
	cr_assert_eq(symlinkat("/etc", dirfd_, "root/abs"), 0);
	cr_assert_eq(symlinkat("../../secret", dirfd_, "root/up"), 0);
	root = openat(dirfd_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(path_open_in_root(root, "../../../secret", O_RDONLY, 0), -ENOENT);
	cr_assert_eq(path_open_in_root(root, "up", O_RDONLY, 0), -ENOENT);
	in = path_open_in_root(root, "/abs", O_PATH | O_DIRECTORY, 0);
	cr_assert_geq(in, 0);
	cr_assert_eq(fstat(in, &st), 0);
	cr_assert_eq(fstatat(root, "etc", &want, 0), 0);
	cr_assert_eq(st.st_ino, want.st_ino);
	cr_assert_eq(path_open_beneath(root, "up", O_RDONLY, 0), -ELOOP);
	cr_assert_eq(path_open_beneath(root, "../secret", O_RDONLY, 0), -EXDEV);
	fd = path_open_beneath(root, "etc", O_PATH, 0);
	cr_assert_geq(fd, 0);
}

Test(path, directories_are_made_inside_the_root)
{
	_cleanup_close_ int root = -1, made = -1;

	cr_assert_eq(mkdirat(dirfd_, "root", 0755), 0);
	cr_assert_eq(symlinkat("/inner/x", dirfd_, "root/l"), 0);
	root = openat(dirfd_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	made = path_mkdirs_in_root(root, "//a/b/../c/");
	cr_assert_geq(made, 0);
	cr_assert_eq(faccessat(root, "a/c", F_OK, 0), 0);
	cr_assert_eq(faccessat(root, "a/b", F_OK, 0), 0);
}

/* As runc makes mount points: what a link leads to is made where it leads to, within the root. */
Test(path, dangling_links_are_followed_inside_the_root)
{
	_cleanup_close_ int root = -1, made = -1, again = -1;

	cr_assert_eq(mkdirat(dirfd_, "root", 0755), 0);
	cr_assert_eq(mkdirat(dirfd_, "root/etc", 0755), 0);
	cr_assert_eq(symlinkat("/inner/x", dirfd_, "root/l"), 0);
	cr_assert_eq(symlinkat("../../../foo/../bar", dirfd_, "root/etc/up"), 0);
	cr_assert_eq(symlinkat("b", dirfd_, "root/a"), 0);
	cr_assert_eq(symlinkat("a", dirfd_, "root/b"), 0);
	root = openat(dirfd_, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	made = path_mkdirs_in_root(root, "l/y");
	cr_assert_geq(made, 0);
	cr_assert_eq(faccessat(root, "inner/x/y", F_OK, 0), 0);
	again = path_mkdirs_in_root(root, "etc/up/z");
	cr_assert_geq(again, 0);
	cr_assert_eq(faccessat(root, "bar/z", F_OK, 0), 0);
	cr_assert_eq(faccessat(dirfd_, "bar", F_OK, 0), -1);
	cr_assert_eq(path_mkdirs_in_root(root, "a/c"), -ELOOP);
}

Test(path, split)
{
	static const struct {
		const char *path, *dir, *name;
	} cases[] = {
		{"a", ".", "a"},      {"/a", "/", "a"},      {"a/b/", "a/", "b"},
		{"/", "/", "."},      {".", ".", "."},       {"a/.", "a/.", "."},
		{"..", "..", "."},    {"a/..", "a/..", "."}, {"//a", "//", "a"},
		{"a//b", "a//", "b"},
	};
	char parent[PATH_MAX], name[NAME_MAX + 1], longest[PATH_MAX + 1];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(path_split(cases[i].path, parent, name), 0);
		cr_assert_str_eq(parent, cases[i].dir);
		cr_assert_str_eq(name, cases[i].name);
	}
	cr_assert_eq(path_split("", parent, name), -EINVAL);
	memset(longest, 'a', PATH_MAX);
	longest[PATH_MAX] = '\0';
	cr_assert_eq(path_split(longest, parent, name), -ENAMETOOLONG);
	longest[NAME_MAX + 1] = '\0';
	cr_assert_eq(path_split(longest, parent, name), -ENAMETOOLONG);
	longest[NAME_MAX] = '\0';
	cr_assert_eq(path_split(longest, parent, name), 0);
}

Test(path, names)
{
	char longest[300];

	memset(longest, 'a', 255);
	longest[255] = '\0';
	cr_assert(path_is_name("a.b"));
	cr_assert(path_is_name(longest));
	longest[255] = 'a';
	longest[256] = '\0';
	cr_assert_not(path_is_name(longest));
	cr_assert_not(path_is_name(""));
	cr_assert_not(path_is_name("."));
	cr_assert_not(path_is_name(".."));
	cr_assert_not(path_is_name("a/b"));
}
