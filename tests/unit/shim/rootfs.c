/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/rootfs.h"

static Task__Mount mounts[3];
static Task__Mount *array[3];
static char *options[3][2];

static void mount(size_t i, const char *type, const char *source, const char *option)
{
	task__mount__init(&mounts[i]);
	mounts[i].type = (char *)type;
	mounts[i].source = (char *)source;
	options[i][0] = (char *)option;
	mounts[i].options = options[i];
	mounts[i].n_options = option ? 1 : 0;
	array[i] = &mounts[i];
}

Test(rootfs, an_image_alone)
{
	struct rootfs_message msg;
	struct rootfs_plan plan;

	mount(0, "erofs", "/i", "ro");
	cr_assert_eq(rootfs_plan(array, 1, &plan, NULL), 0);
	cr_assert_str_eq(plan.image, "/i");
	rootfs_message_fill(&plan, 3, NULL, &msg);
	cr_assert_eq(msg.rootfs.lower->slot, 3);
	cr_assert_str_eq(msg.rootfs.lower->fstype, "erofs");
	cr_assert_str_eq(msg.rootfs.lower->options[0], "ro");
	cr_assert_null(msg.rootfs.overlay);
}

Test(rootfs, with_a_writable_layer)
{
	struct rootfs_message msg;
	struct rootfs_plan plan;

	mount(0, "erofs", "/i", "ro");
	mount(1, "sbx-scratch", "", "size=4096");
	cr_assert_eq(rootfs_plan(array, 2, &plan, NULL), 0);
	rootfs_message_fill(&plan, 0, NULL, &msg);
	cr_assert_eq(msg.rootfs.overlay->size, 4096);
}

Test(rootfs, no_mount_is_the_bundles_directory)
{
	struct rootfs_message msg;
	struct rootfs_plan plan;

	cr_assert_eq(rootfs_plan(NULL, 0, &plan, NULL), 0);
	cr_assert_null(plan.image);
	rootfs_message_fill(&plan, 0, "c.rootfs", &msg);
	cr_assert_null(msg.rootfs.lower);
	cr_assert_str_eq(msg.rootfs.share, "c.rootfs");
}

Test(rootfs, ext4_may_be_written)
{
	struct rootfs_message msg;
	struct rootfs_plan plan;

	mount(0, "ext4", "/dev/mapper/snap", NULL);
	cr_assert_eq(rootfs_plan(array, 1, &plan, NULL), 0);
	cr_assert(plan.writable);
	cr_assert_not(plan.mounted);
	rootfs_message_fill(&plan, 1, NULL, &msg);
	cr_assert_str_eq(msg.rootfs.lower->fstype, "ext4");
	mount(0, "ext4", "/file", "loop");
	cr_assert_eq(rootfs_plan(array, 1, &plan, NULL), 0);
	cr_assert_eq(plan.n_options, 0);
}

Test(rootfs, the_host_mounts_the_rest)
{
	struct rootfs_message msg;
	struct rootfs_plan plan;

	mount(0, "overlay", "overlay", "lowerdir=/a:/b");
	cr_assert_eq(rootfs_plan(array, 1, &plan, NULL), 0);
	cr_assert(plan.mounted);
	cr_assert_null(plan.image);
	rootfs_message_fill(&plan, 0, "c.rootfs", &msg);
	cr_assert_str_eq(msg.rootfs.share, "c.rootfs");
}

static void check_refused(size_t n, const char *message)
{
	struct rootfs_plan plan;
	struct err err = ERR_INIT;

	cr_assert_eq(rootfs_plan(array, n, &plan, &err), -EINVAL);
	cr_assert_str_eq(err.msg, message);
}

Test(rootfs, refuses_the_rest_by_name)
{
	mount(0, "erofs", "i", "ro");
	check_refused(1, "rootfs: source: not an absolute path");
	mount(0, "erofs", "/i", "rw");
	check_refused(1, "rootfs: erofs without ro");
	mount(0, "erofs", "/i", "ro");
	mount(1, "sbx-scratch", "", NULL);
	check_refused(2, "rootfs: sbx-scratch: size missing");
	mount(1, "sbx-scratch", "", "size=1g");
	check_refused(2, "rootfs: sbx-scratch: option size=1g: not known");
	mount(1, "sbx-scratch", "", "size=1");
	mount(2, "sbx-scratch", "", "size=1");
	check_refused(3, "rootfs: a second writable layer");
	mount(2, "ext4", "/x", NULL);
	check_refused(3, "rootfs of more than one mount: not supported");
}
