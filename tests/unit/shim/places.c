/* SPDX-License-Identifier: Apache-2.0 */
/* Where programs and their files are found: beside the one that runs, or where they are installed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/places.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";
static char own[64], prefix[64];

/* An installation under root/prefix, and a directory that a program was copied to. */
static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	snprintf(own, sizeof(own), "%s/copy/here", root);
	snprintf(prefix, sizeof(prefix), "%s/prefix", root);
	cr_assert_eq(io_mkdirs(own, 0755), 0);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(places, .init = set_up, .fini = tear_down);

static void make(const char *dir, const char *sub, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, sub);
	cr_assert_eq(io_mkdirs(path, 0755), 0);
	snprintf(path, sizeof(path), "%s%s/%s", dir, sub, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	cr_assert_geq(fd, 0);
	close(fd);
}

typedef int (*look)(const char *dir, const char *in, const char *name, char **ret, struct err *err);

static void found(look look_for, const char *name, const char *dir, const char *rest)
{
	_cleanup_free_ char *path = NULL;
	struct err err = ERR_INIT;
	char want[PATH_MAX];

	snprintf(want, sizeof(want), "%s%s", dir, rest);
	cr_assert_eq(look_for(own, prefix, name, &path, &err), 0, "%s", err.msg);
	cr_assert_str_eq(path, want);
}

static void not_found(look look_for, const char *name, int code)
{
	struct err err = ERR_INIT;
	char *path = NULL;

	cr_assert_eq(look_for(own, prefix, name, &path, &err), -code);
	cr_assert(strstr(err.msg, own));
	cr_assert_null(path);
}

Test(places, programs)
{
	not_found(places_look_for_program, "sbx-vmm", ENOENT);
	make(prefix, "/bin", "sbx-vmm");
	found(places_look_for_program, "sbx-vmm", prefix, "/bin/sbx-vmm");
	make(own, "", "sbx-vmm");
	found(places_look_for_program, "sbx-vmm", own, "/sbx-vmm");
}

Test(places, files)
{
	not_found(places_look_for_share, "vmlinux", ENOENT);
	make(prefix, "/share/sbx", "vmlinux");
	found(places_look_for_share, "vmlinux", prefix, "/share/sbx/vmlinux");
	make(own, "/../share/sbx", "vmlinux");
	found(places_look_for_share, "vmlinux", own, "/../share/sbx/vmlinux");
	make(own, "/../share", "vmlinux");
	found(places_look_for_share, "vmlinux", own, "/../share/vmlinux");
}

/* Of a shim in /tmp/copy anybody could lay a guest's kernel into /tmp/share. */
Test(places, nothing_that_anybody_could_have_put_there)
{
	char above[PATH_MAX];

	make(own, "/../share", "vmlinux");
	snprintf(above, sizeof(above), "%s/..", own);
	cr_assert_eq(chmod(above, 01777), 0);
	not_found(places_look_for_share, "vmlinux", ENOENT);
	make(prefix, "/share/sbx", "vmlinux");
	found(places_look_for_share, "vmlinux", prefix, "/share/sbx/vmlinux");
}
