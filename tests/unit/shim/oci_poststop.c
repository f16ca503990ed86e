/* SPDX-License-Identifier: Apache-2.0 */
/* Poststop hooks that a shim has left to whoever deletes the container. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io.h"
#include "shim/hooks_due.h"
#include "shim/oci_poststop.h"
#include "shim/oci_store.h"

/* The state directory, and the bundle of the container "c" in it. */
static char root[] = "/tmp/sbx-poststop-XXXXXX", bundle[64];
static struct err err;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	snprintf(bundle, sizeof(bundle), "%s/c", root);
	cr_assert_eq(mkdir(bundle, 0700), 0);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(oci_poststop, .init = set_up, .fini = tear_down, .timeout = 20);

static void configure(const char *hooks)
{
	_cleanup_close_ int dirfd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;

	cr_assert_gt(asprintf(&text,
			      "{\"ociVersion\":\"1.2.0\",\"process\":{\"cwd\":\"/\",\"args\":["
			      "\"a\"]},\"hooks\":{%s}}",
			      hooks),
		     0);
	cr_assert_eq(io_write_atomic(dirfd, "config.json", text, strlen(text), 0600), 0);
}

/* As by a shim that was killed. */
static void note(void)
{
	_cleanup_free_ char *path = oci_store_poststop(root, "c");
	struct hooks_due *due = NULL;

	cr_assert_eq(hooks_due_create(path, &due, &err), 0, "%s", err.msg);
	hooks_due_destroy(due);
}

static int run(void)
{
	const struct oci_record record = {.id = "c", .bundle = bundle};

	err = (struct err)ERR_INIT;
	return oci_poststop_run(root, &record, &err);
}

static char *output(void)
{
	_cleanup_close_ int dirfd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	return io_read_file(dirfd, "out", 4096, &text, NULL) < 0 ? NULL : text;
}

/* They run in the bundle. */
#define SCRIPT(text) "\"poststop\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"" text "\"]}]"

Test(oci_poststop, runs_once_where_it_is_due)
{
	_cleanup_free_ char *text = NULL;

	configure(SCRIPT("cat >>out"));
	cr_assert_eq(run(), 0);
	cr_assert_null(output());
	note();
	cr_assert_eq(run(), 0, "%s", err.msg);
	cr_assert_eq(run(), 0);
	text = output();
	cr_assert(text && strstr(text, "\"id\":\"c\",\"status\":\"stopped\""), "%s", text);
	cr_assert_null(strstr(strstr(text, "stopped") + 1, "stopped"));
}

Test(oci_poststop, a_failure_is_told_once)
{
	configure(SCRIPT("exit 3"));
	note();
	cr_assert_eq(run(), -EIO);
	cr_assert_str_eq(err.msg, "hooks.poststop: /bin/sh: ended with code 3");
	cr_assert_eq(run(), 0);
}

Test(oci_poststop, so_is_a_bundle_that_has_gone)
{
	note();
	cr_assert_eq(run(), -ENOENT);
	cr_assert(strstr(err.msg, "hooks.poststop: ") && strstr(err.msg, "/c/config.json"), "%s",
		  err.msg);
	cr_assert_eq(run(), 0);
}

Test(oci_poststop, or_has_none_any_more)
{
	configure("");
	note();
	cr_assert_eq(run(), 0, "%s", err.msg);
}
