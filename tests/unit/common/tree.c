/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of files through a stream: what arrives is what was sent, and nothing else can. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/tree.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";
static int dir_ = -1;
static unsigned left;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	dir_ = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	umask(0);
}

static void tear_down(void)
{
	close(dir_);
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(tree, .init = set_up, .fini = tear_down);

static void left_out(const char *name, const char *why, void *data)
{
	left++;
}

static int file(const char *name, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = openat(dir_, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : io_write_full(fd, text, strlen(text));

	return r == 0 && fchmod(fd, mode) < 0 ? -errno : r;
}

/* Sends root/from through a file and receives it in root/to as name. */
static int pass(const char *from, const char *name, struct err *err)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	_cleanup_close_ int to = openat(dir_, "to", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct tree_receiver receiver = {
		.dirfd = to, .name = name, .mask = 0777, .uid = -1, .gid = -1};
	int r = tree_send(dir_, from, fd, left_out, NULL, err);

	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return r < 0 ? r : tree_receive(fd, &receiver, err);
}

static char *text_of(const char *path)
{
	char *text = NULL;

	cr_assert_eq(io_read_file(dir_, path, 1 << 20, &text, NULL), 0, "%s", path);
	return text;
}

Test(tree, arrives_whole)
{
	_cleanup_free_ char *big = malloc(300000), *copy = NULL, *small = NULL;
	struct err err = ERR_INIT;
	char target[16] = "";
	struct stat st;

	memset(big, 'x', 299999);
	big[299999] = '\0';
	cr_assert_eq(mkdirat(dir_, "to", 0755), 0);
	cr_assert_eq(mkdirat(dir_, "from", 0750), 0);
	cr_assert_eq(mkdirat(dir_, "from/sub", 0555), 0);
	cr_assert_eq(mkfifoat(dir_, "from/fifo", 0600), 0);
	cr_assert_eq(symlinkat("/etc/passwd", dir_, "from/link"), 0);
	cr_assert_eq(file("from/big", big, 0640), 0);
	cr_assert_eq(file("from/small", "", 04755), 0);
	cr_assert_eq(utimensat(dir_, "from/big", (struct timespec[]){{5, 6}, {7, 8}}, 0), 0);
	cr_assert_eq(pass("from", "there", &err), 0, "%s", err.msg);
	copy = text_of("to/there/big");
	small = text_of("to/there/small");
	cr_assert_str_eq(copy, big);
	cr_assert_str_eq(small, "");
	cr_assert_eq(left, 1, "the fifo");
	cr_assert_eq(fstatat(dir_, "to/there/big", &st, 0), 0);
	cr_assert(st.st_mtim.tv_sec == 7 && st.st_mtim.tv_nsec == 8);
	cr_assert_eq(st.st_mode & 07777, 0640);
	cr_assert_eq(fstatat(dir_, "to/there/small", &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0755, "never setuid");
	cr_assert_eq(fstatat(dir_, "to/there/sub", &st, 0), 0);
	cr_assert_eq(st.st_mode & 07777, 0555);
	cr_assert_eq(readlinkat(dir_, "to/there/link", target, sizeof(target)), 11);
	cr_assert_eq(memcmp(target, "/etc/passwd", 11), 0);
}

Test(tree, adds_to_what_is_there)
{
	_cleanup_free_ char *old = NULL, *new = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(mkdirat(dir_, "to", 0755), 0);
	cr_assert_eq(file("to/kept", "kept", 0600), 0);
	cr_assert_eq(file("outside", "untouched", 0600), 0);
	cr_assert_eq(symlinkat("../outside", dir_, "to/replaced"), 0);
	cr_assert_eq(mkdirat(dir_, "from", 0755), 0);
	cr_assert_eq(file("from/replaced", "new", 0600), 0);
	cr_assert_eq(pass("from", ".", &err), 0, "%s", err.msg);
	old = text_of("outside");
	new = text_of("to/replaced");
	cr_assert_str_eq(old, "untouched", "a link in the way is replaced, not followed");
	cr_assert_str_eq(new, "new");
	cr_assert_eq(faccessat(dir_, "to/kept", F_OK, 0), 0);
	cr_assert_eq(file("alone", "1", 0600), 0);
	cr_assert_eq(pass("alone", "one", &err), 0, "a file alone");
	cr_assert_eq(pass("alone", ".", &err), -ENOTDIR);
	cr_assert_eq(pass("none", "x", &err), -ENOENT);
	cr_assert_eq(pass("from", "kept", &err), -ENOTDIR);
	cr_assert_eq(symlinkat("..", dir_, "to/up"), 0);
	cr_assert_lt(pass("from", "up", &err), 0, "a link is no directory");
}

static int receive_bytes(const void *data, size_t size, struct err *err)
{
	_cleanup_close_ int fd = memfd_create("stream", MFD_CLOEXEC);
	const struct tree_receiver receiver = {
		.dirfd = dir_, .name = "n", .mask = 0777, .uid = -1, .gid = -1};

	cr_assert_eq(io_write_full(fd, data, size), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return tree_receive(fd, &receiver, err);
}

/* A stream of these entries, which a sender would not send. */
static int receive_entries(const struct tree_entry *entries, size_t n)
{
	uint8_t *buf = calloc(n, TREE_MAX_BYTES);
	struct err err = ERR_INIT;
	size_t size = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		size += tree_entry_encode(&entries[i], buf + size);
	r = receive_bytes(buf, size, &err);
	free(buf);
	return r;
}

#define STREAM(...)                                                                                \
	receive_entries((const struct tree_entry[]){__VA_ARGS__},                                  \
			sizeof((const struct tree_entry[]){__VA_ARGS__}) /                         \
				sizeof(struct tree_entry))

/* As /dev/null, which root could lose so. */
Test(tree, leaves_what_is_no_file)
{
	struct err err = ERR_INIT;
	struct stat st;

	cr_assert_eq(mkdirat(dir_, "to", 0755), 0);
	cr_assert_eq(mkfifoat(dir_, "to/pipe", 0600), 0);
	cr_assert_eq(file("file", "new", 0600), 0);
	cr_assert_eq(pass("file", "pipe", &err), -EEXIST);
	cr_assert_str_eq(err.msg, "pipe: a device, a pipe or a socket is there");
	cr_assert_eq(symlinkat("file", dir_, "link"), 0);
	cr_assert_eq(pass("link", "pipe", &err), -EEXIST);
	cr_assert_eq(fstatat(dir_, "to/pipe", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_assert(S_ISFIFO(st.st_mode));
}

Test(tree, takes_nothing_that_leads_out)
{
	const struct tree_entry dir = {.kind = TREE_DIR, .name = "d", .mode = 0755},
				leave = {.kind = TREE_LEAVE}, end = {.kind = TREE_END};
	static const char *const names[] = {"..", "a/b", "/", "", "."};

	cr_assert_eq(STREAM(dir, leave, end), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct tree_entry bad = {.kind = TREE_DIR};

		strcpy(bad.name, names[i]);
		cr_assert_eq(STREAM(dir, bad, leave, leave, end), -EPROTO, "\"%s\"", names[i]);
	}
	cr_assert_eq(STREAM(dir, leave, leave, end), -EPROTO);
	cr_assert_eq(STREAM(dir, leave, dir, leave, end), -EPROTO, "two trees");
	cr_assert_eq(STREAM(dir, end), -EPROTO);
	cr_assert_eq(STREAM(end), -EPROTO);
	cr_assert_eq(STREAM(dir, leave), -EPIPE, "no end");
	cr_assert_eq(STREAM({.kind = TREE_LINK, .name = "l"}, end), -EPROTO, "a link to nothing");
	cr_assert_eq(STREAM({.kind = 9, .name = "l"}, end), -EPROTO);
	cr_assert_eq(STREAM({.kind = TREE_DIR, .name = "l", .mode = 010000}, end), -EPROTO);
}

Test(tree, depth_is_bounded)
{
	struct tree_entry deep[TREE_MAX_DEPTH + 1];

	for (size_t i = 0; i < ARRAY_SIZE(deep); i++)
		deep[i] = (struct tree_entry){.kind = TREE_DIR, .name = "d", .mode = 0700};
	cr_assert_eq(receive_entries(deep, ARRAY_SIZE(deep)), -ELOOP);
}

Test(tree, chunks_are_bounded)
{
	uint8_t buf[TREE_MAX_BYTES + 4];
	const struct tree_entry entry = {.kind = TREE_FILE, .name = "f", .mode = 0600};
	size_t size = tree_entry_encode(&entry, buf);
	struct err err = ERR_INIT;

	memset(buf + size, 0xff, 4);
	cr_assert_eq(receive_bytes(buf, size + 4, &err), -EPROTO);
	cr_assert_eq(receive_bytes(buf, size, &err), -EPIPE);
	cr_assert_eq(receive_bytes("", 0, &err), -EPIPE);
}
