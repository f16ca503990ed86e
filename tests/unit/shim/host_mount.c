/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "shim/host_mount.h"

Test(host_mount, words_and_data)
{
	const char *const options[] = {
		"ro", "lowerdir=/a:/b", "rbind", "nosuid", "upperdir=/u", "rw", "suid"};
	struct host_mount_options o;

	cr_assert_eq(host_mount_parse((char *const *)options, 7, &o, NULL), 0);
	cr_assert_eq(o.flags, MS_BIND | MS_REC);
	cr_assert_str_eq(o.data, "lowerdir=/a:/b,upperdir=/u");
}

Test(host_mount, a_page_at_most)
{
	static char large[4096];
	char *options[] = {large};
	struct host_mount_options o;
	struct err err = ERR_INIT;

	memset(large, 'x', sizeof(large) - 1);
	cr_assert_eq(host_mount_parse(options, 1, &o, &err), -E2BIG);
	large[sizeof(large) - 2] = '\0';
	cr_assert_eq(host_mount_parse(options, 1, &o, &err), 0);
	cr_assert_eq(strlen(o.data), 4094);
}

static void put_layers(char *text, const char *directory, int first, int n)
{
	strcpy(text, "lowerdir=");
	for (int i = first; i < first + n; i++)
		sprintf(text + strlen(text), "%s%s/snapshots/%d/fs", i > first ? ":" : "",
			directory, i);
}

Test(host_mount, many_layers_are_named_from_their_directory)
{
	static char lower[100000];
	const char *const options[] = {"index=off", lower, "upperdir=/u"};
	struct host_mount_options o;
	struct err err = ERR_INIT;
	char *at;

	put_layers(lower, "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs", 90, 120);
	cr_assert_eq(host_mount_parse((char *const *)options, 3, &o, &err), 0, "%s", err.msg);
	cr_assert_str_eq(o.cwd,
			 "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/");
	cr_assert_eq(strncmp(o.data, "index=off,lowerdir=90/fs:91/fs:92/fs:", 37), 0, "%s", o.data);
	at = strstr(o.data, ":209/fs");
	cr_assert_not_null(at);
	cr_assert_str_eq(at, ":209/fs,upperdir=/u");
	/* In one that is not the same, and in none: too long is too long. */
	put_layers(lower, "/a", 0, 400);
	strcat(lower, ":relative");
	cr_assert_eq(host_mount_parse((char *const *)options, 3, &o, &err), -E2BIG);
	put_layers(lower, "/a", 0, 2000);
	cr_assert_eq(host_mount_parse((char *const *)options, 3, &o, &err), -E2BIG);
}
