/* SPDX-License-Identifier: Apache-2.0 */
/* The host's hooks, run for real: what they are told, in which order, and what their failure means. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io.h"
#include "common/loop.h"
#include "shim/hooks.h"
#include "shim/spec.h"

static char dir[64];
static struct loop *loop;
static struct err result;
static bool called;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sbx-hooks-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(loop_create(&loop), 0);
}

static void teardown(void)
{
	loop_destroy(loop);
	io_remove_tree(AT_FDCWD, dir);
}

TestSuite(hooks, .init = setup, .fini = teardown, .timeout = 20);

static void on_done(const struct err *err, void *data)
{
	called = true;
	result = err ? *err : (struct err)ERR_INIT;
}

/* A hook that runs a shell's script in the test's directory. */
static char *hook(const char *script, const char *more)
{
	char *text;

	cr_assert_gt(asprintf(&text,
			      "{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cd %s; %s\"]%s}",
			      dir, script, more),
		     0);
	return text;
}

static struct spec *parse(const char *hooks)
{
	struct spec *spec = NULL;
	struct err err = ERR_INIT;
	_cleanup_free_ char *text = NULL;

	cr_assert_gt(asprintf(&text,
			      "{\"ociVersion\":\"1.2.0\",\"annotations\":{\"k\":\"v\"},"
			      "\"process\":{\"cwd\":\"/\",\"args\":[\"a\"]},\"hooks\":{%s}}",
			      hooks),
		     0);
	cr_assert_eq(spec_parse(text, strlen(text), &spec, &err), 0, "%s", err.msg);
	return spec;
}

static void run_in(const char *bundle, const struct spec *spec, enum hooks_stage stage)
{
	const struct hooks_subject subject = {spec, "id1", bundle, 42};
	_cleanup_(hooks_cancel_p) struct hooks_run *run = NULL;
	struct err err = ERR_INIT;

	called = false;
	cr_assert(hooks_any(spec, stage));
	cr_assert_eq(hooks_start(loop, &subject, stage, on_done, NULL, &run, &err), 0, "%s",
		     err.msg);
	cr_assert_not(called);
	while (!called)
		cr_assert_eq(loop_turn(loop, -1), 0);
}

/* In a bundle that is not there. */
static void run(const struct spec *spec, enum hooks_stage stage)
{
	run_in("/bundle", spec, stage);
}

static char *output(void)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;

	cr_assert_eq(io_read_file(fd, "out", 4096, &text, NULL), 0);
	return text;
}

Test(hooks, are_told_the_state_in_order)
{
	_cleanup_free_ char *one = hook("cat >>out; echo >>out", ""), *text = NULL;
	_cleanup_free_ char *two = hook("echo $A $HOME. >>out", ",\"env\":[\"A=b\"]"), *all = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert_gt(asprintf(&all, "\"createRuntime\":[%s],\"prestart\":[%s,%s]", two, one, one),
		     0);
	spec = parse(all);
	run(spec, HOOKS_CREATE);
	cr_assert_eq(result.code, 0, "%s", result.msg);
	text = output();
	cr_assert_str_eq(text,
			 "{\"ociVersion\":\"1.2.0\",\"id\":\"id1\",\"status\":\"creating\","
			 "\"bundle\":\"/bundle\",\"pid\":42,\"annotations\":{\"k\":\"v\"}}\n"
			 "{\"ociVersion\":\"1.2.0\",\"id\":\"id1\",\"status\":\"creating\","
			 "\"bundle\":\"/bundle\",\"pid\":42,\"annotations\":{\"k\":\"v\"}}\nb .\n");
	cr_assert_not(hooks_any(spec, HOOKS_STOPPED));
}

Test(hooks, a_failure_ends_the_creation)
{
	_cleanup_free_ char *bad = hook("exit 3", ""), *next = hook("echo x >out", ""), *all = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert_gt(asprintf(&all, "\"prestart\":[%s,%s]", bad, next), 0);
	spec = parse(all);
	run(spec, HOOKS_CREATE);
	cr_assert_str_eq(result.msg, "hooks.prestart: /bin/sh: ended with code 3");
	cr_assert_eq(access(dir, F_OK), 0);
	cr_assert(chdir(dir) == 0 && access("out", F_OK) < 0);
}

Test(hooks, later_ones_run_all_the_same)
{
	_cleanup_free_ char *bad = hook("kill -9 $$", ""), *next = hook("cat >out", ""),
			    *all = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert_gt(asprintf(&all, "\"poststop\":[%s,{\"path\":\"/nonexistent\"},%s]", bad, next),
		     0);
	spec = parse(all);
	run(spec, HOOKS_STOPPED);
	cr_assert(strstr(result.msg, "hooks.poststop: /bin/sh: was killed by signal 9"));
	text = output();
	cr_assert(strstr(text, "\"status\":\"stopped\"") && !strstr(text, "pid"));
}

Test(hooks, have_their_time)
{
	_cleanup_free_ char *slow = hook("sleep 10", ",\"timeout\":1"), *all = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert_gt(asprintf(&all, "\"poststart\":[%s]", slow), 0);
	spec = parse(all);
	run(spec, HOOKS_STARTED);
	cr_assert_str_eq(result.msg, "hooks.poststart: /bin/sh: not done after 1 seconds");
}

Test(hooks, run_in_the_bundle_and_make_what_all_may_read)
{
	static const char all[] = "\"prestart\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\","
				  "\"pwd >out; umask >>out\"]}]";
	_cleanup_(spec_free_p) struct spec *spec = parse(all);
	_cleanup_free_ char *text = NULL;
	char want[80];

	umask(077);
	run_in(dir, spec, HOOKS_CREATE);
	cr_assert_eq(result.code, 0, "%s", result.msg);
	text = output();
	snprintf(want, sizeof(want), "%s\n0022\n", dir);
	cr_assert_str_eq(text, want);
}

/* More than a pipe holds, from a hook and from what it leaves behind: nobody waits for either. */
Test(hooks, a_failure_ends_with_what_it_said)
{
	_cleanup_free_ char *bad = hook(
				    "(sleep 100; echo late >&2) & head -c 200000 /dev/zero >&2; "
				    "printf 'no \\\\033[1m\\\\nway' >&2; exit 3",
				    ""),
			    *all = NULL;
	static const char end[] = "???no ?[1m | way";
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	size_t n;

	cr_assert_gt(asprintf(&all, "\"createRuntime\":[%s]", bad), 0);
	spec = parse(all);
	run(spec, HOOKS_CREATE);
	n = strlen(result.msg);
	cr_assert_eq(
		strncmp(result.msg, "hooks.createRuntime: /bin/sh: ended with code 3: ???", 51), 0,
		"%s", result.msg);
	cr_assert_str_eq(result.msg + n - (sizeof(end) - 1), end);
	cr_assert_lt(n, 600);
}

Test(hooks, a_closed_stderr_is_no_end)
{
	_cleanup_free_ char *quiet = hook("echo x >&2; exec 2>&-; sleep 0.2; echo y >out; exit 1",
					  ""),
			    *all = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;

	cr_assert_gt(asprintf(&all, "\"prestart\":[%s]", quiet), 0);
	spec = parse(all);
	run(spec, HOOKS_CREATE);
	cr_assert_str_eq(result.msg, "hooks.prestart: /bin/sh: ended with code 1: x");
	text = output();
	cr_assert_str_eq(text, "y\n");
}

Test(hooks, can_be_cancelled)
{
	_cleanup_free_ char *slow = hook("sleep 10", ""), *all = NULL;
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct hooks_run *run = NULL;

	cr_assert_gt(asprintf(&all, "\"poststart\":[%s]", slow), 0);
	spec = parse(all);
	called = false;
	const struct hooks_subject subject = {spec, "id1", "/bundle", 42};

	cr_assert_eq(hooks_start(loop, &subject, HOOKS_STARTED, on_done, NULL, &run, NULL), 0);
	hooks_cancel(run);
	cr_assert_eq(loop_turn(loop, 0), 0);
	cr_assert_not(called);
}
