/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/image_tree.h"
#include "shim/image_userns.h"

static char dir[] = "/tmp/image-tree-XXXXXX";

static void set_up(void)
{
	umask(022);
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void tear_down(void)
{
	struct err err = ERR_INIT;

	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(image_tree_remove(dir, &err), 0, "%s", err.msg);
	cr_assert_eq(access(dir, F_OK), -1);
}

TestSuite(image_tree, .init = set_up, .fini = tear_down);

static void write_file(const char *name, const char *text)
{
	_cleanup_close_ int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert_eq(io_write_full(fd, text, strlen(text)), 0);
}

/* The same tree; backwards makes the names in another order. */
static void make_tree(const char *name, bool backwards)
{
	char path[64];

	cr_assert_eq(mkdir(name, 0755), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/file%d", name, backwards ? 19 - i : i);
		write_file(path, "x");
	}
	snprintf(path, sizeof(path), "%s/sub", name);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sub/link", name);
	cr_assert_eq(symlink("target", path), 0);
}

static struct image_tree scan(const char *name)
{
	struct image_tree tree;
	struct err err = ERR_INIT;

	cr_assert_eq(image_tree_scan(name, NULL, false, &tree, &err), 0, "%s", err.msg);
	return tree;
}

Test(image_tree, equal_trees_have_one_uuid)
{
	struct image_tree a, b, again;

	make_tree("a", false);
	make_tree("b", true);
	a = scan("a");
	b = scan("b");
	again = scan("a");
	cr_assert_str_eq(a.uuid, b.uuid);
	cr_assert_str_neq(a.signature, b.signature);
	cr_assert_str_eq(a.signature, again.signature);
	cr_assert_eq(a.entries, 23);
	cr_assert_eq(strlen(a.uuid), 36);
	cr_assert_eq(a.uuid[14], '8', "RFC 9562's version");
}

/* Every change must show in the signature; what equal trees share must show in the uuid too. */
static void check_change(const char *what, void (*change)(void), bool in_uuid)
{
	struct image_tree before = scan("a"), after;

	change();
	after = scan("a");
	cr_assert_str_neq(before.signature, after.signature, "%s", what);
	cr_assert_eq(strcmp(before.uuid, after.uuid) != 0, in_uuid, "%s", what);
}

static void touch(void)
{
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	utimensat(AT_FDCWD, "a/file3", times, 0);
}

static void rewrite(void)
{
	usleep(20000); /* the clock of ctime ticks every 4 ms or so */
	write_file("a/file3", "y");
}

static void grow(void)
{
	write_file("a/file3", "yy");
}

static void change_mode(void)
{
	chmod("a/file4", 0600);
}

static void rename_one(void)
{
	rename("a/file5", "a/sub/file5");
}

static void relink(void)
{
	unlink("a/sub/link");
	cr_assert_eq(symlink("Target", "a/sub/link"), 0);
}

static void remove_one(void)
{
	unlink("a/file6");
}

Test(image_tree, changes_show)
{
	make_tree("a", false);
	check_change("time", touch, false);
	check_change("content", rewrite, false);
	check_change("size", grow, true);
	check_change("mode", change_mode, true);
	check_change("name", rename_one, true);
	check_change("link", relink, true);
	check_change("removal", remove_one, true);
}

Test(image_tree, owners_are_counted)
{
	struct image_userns us = {.uid = geteuid(), .gid = getegid()};
	struct image_userns others = {.uid = geteuid() + 1, .gid = getegid() + 1};
	struct image_tree tree, squashed;

	make_tree("a", false);
	cr_assert_eq(image_tree_scan("a", &us, false, &tree, NULL), 0);
	cr_assert(tree.own == 23 && tree.covered == 23 && tree.foreign == 0);
	cr_assert_eq(image_tree_scan("a", &others, true, &squashed, NULL), 0);
	cr_assert(squashed.own == 0 && squashed.covered == 0 && squashed.foreign == 23);
	cr_assert_eq(squashed.foreign_uid, geteuid());
	cr_assert_eq(strcmp(tree.uuid, squashed.uuid) == 0, geteuid() == 0,
		     "all_root reads as if root had made it");
}

Test(image_tree, errors)
{
	struct image_tree tree;
	struct err err = ERR_INIT;

	cr_assert_eq(image_tree_scan("nowhere", NULL, false, &tree, &err), -ENOENT, "%s", err.msg);
	write_file("file", "x");
	cr_assert_eq(image_tree_scan("file", NULL, false, &tree, &err), -ENOTDIR);
	cr_assert_eq(image_tree_remove("nowhere", &err), 0, "what is gone is gone");
}

Test(image_tree, removes_a_deep_tree)
{
	struct err err = ERR_INIT;
	char name[101];

	memset(name, 'd', 100);
	name[100] = '\0';
	cr_assert_eq(mkdir("deep", 0755), 0);
	cr_assert_eq(chdir("deep"), 0);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(mkdir(name, 0755), 0);
		cr_assert_eq(chdir(name), 0);
	}
	write_file("bottom", "x");
	cr_assert_eq(chdir(dir), 0);
	cr_assert_eq(image_tree_remove("deep", &err), 0, "%s", err.msg);
	cr_assert_eq(access("deep", F_OK), -1);
}
