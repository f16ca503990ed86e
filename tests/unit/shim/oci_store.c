/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/host_user.h"
#include "shim/oci_store.h"

static char root[] = "/tmp/sbx-oci-store-XXXXXX";

#define NAMES_SIZE 64

static struct oci_record record_of(const char *id, uint64_t created_ns)
{
	return (struct oci_record){.oci_version = "1.2.0",
				   .id = id,
				   .bundle = "/b",
				   .rootfs = "/r",
				   .pod = id,
				   .created_ns = created_ns};
}

static void add_of(const char *id, uint64_t created_ns)
{
	const struct oci_record record = record_of(id, created_ns);
	struct err err = ERR_INIT;
	int lock = -1;

	cr_assert_eq(oci_store_create(root, id, &lock, &err), 0, "%s", err.msg);
	cr_assert_eq(oci_store_write(root, &record, &err), 0, "%s", err.msg);
	close(lock);
}

static void add(const char *id)
{
	add_of(id, 0);
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

/* Who comes second waits, and finds that it is gone, though there is one of that id again. */
Test(oci_store, one_deletes_a_container)
{
	const struct oci_record record = record_of("box", 1);
	struct oci_record now = {0};
	struct err err = ERR_INIT;
	int pair[2], claim;
	pid_t pid;

	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(pipe(pair), 0);
	add_of("box", 1);
	pid = fork();
	if (pid == 0) {
		claim = oci_store_claim(root, &record, NULL);
		(void)!write(pair[1], "x", 1);
		usleep(200000);
		oci_store_remove(root, "box");
		add_of("box", 2);
		_exit(claim < 0);
	}
	cr_assert_eq(read(pair[0], (char[1]){0}, 1), 1);
	cr_assert_eq(oci_store_claim(root, &record, &err), -ENOENT);
	cr_assert(strstr(err.msg, "has been deleted"), "%s", err.msg);
	cr_assert_eq(oci_store_read(root, "box", &now, &err), 0);
	cr_assert_eq(now.created_ns, 2);
	claim = oci_store_claim(root, &now, &err);
	cr_assert_geq(claim, 0);
	close(claim);
	oci_store_remove(root, "box");
	cr_assert_eq(oci_store_claim(root, &now, &err), -ENOENT);
	oci_record_finish(&now);
	waitpid(pid, NULL, 0);
	remove_root();
}

Test(host_user, names)
{
	cr_assert_str_eq(host_user_name(0), "root");
	cr_assert_null(host_user_name(3999999999u));
}
