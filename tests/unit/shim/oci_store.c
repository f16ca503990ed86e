/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/host_user.h"
#include "shim/oci_store.h"

static char root[] = "/tmp/sbx-oci-store-XXXXXX";

#define NAMES_SIZE 64

static void add(const char *id)
{
	const struct oci_record record = {
		.oci_version = "1.2.0", .id = id, .bundle = "/b", .rootfs = "/r", .pod = id};
	struct err err = ERR_INIT;
	int lock = -1;

	cr_assert_eq(oci_store_create(root, id, &lock, &err), 0, "%s", err.msg);
	cr_assert_eq(oci_store_write(root, &record, &err), 0, "%s", err.msg);
	close(lock);
}

static int collect(const struct oci_record *record, void *data)
{
	char *names = data;
	size_t n = strlen(names);

	snprintf(names + n, NAMES_SIZE - n, "%s ", record->id);
	return strcmp(record->id, "stop") == 0 ? -ECANCELED : 0;
}

static void remove_root(void)
{
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	io_remove_tree(fd, root + 5);
	close(fd);
}

Test(oci_store, containers_come_in_the_order_of_their_ids)
{
	char names[NAMES_SIZE] = "";
	struct err err = ERR_INIT;

	cr_assert_not_null(mkdtemp(root));
	add("box3");
	add("Box2");
	add("box1");
	add("box10");
	cr_assert_eq(oci_store_for_each(root, collect, names, &err), 0);
	cr_assert_str_eq(names, "Box2 box1 box10 box3 ");
	/* A walk that is ended, and one over what is not there. */
	add("stop");
	add("zzz");
	names[0] = '\0';
	cr_assert_eq(oci_store_for_each(root, collect, names, &err), -ECANCELED);
	cr_assert_str_eq(names, "Box2 box1 box10 box3 stop ");
	remove_root();
	cr_assert_eq(oci_store_for_each(root, collect, names, &err), 0);
}

Test(oci_store, owner)
{
	uid_t uid = (uid_t)-1;

	cr_assert_not_null(mkdtemp(root));
	add("box");
	cr_assert_eq(oci_store_owner(root, "box", &uid), 0);
	cr_assert_eq(uid, geteuid());
	cr_assert_eq(oci_store_owner(root, "none", &uid), -ENOENT);
	cr_assert_eq(oci_store_owner(root, "../x", &uid), -ENOENT);
	remove_root();
}

Test(host_user, names)
{
	cr_assert_str_eq(host_user_name(0), "root");
	cr_assert_null(host_user_name(3999999999u));
}
