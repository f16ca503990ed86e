/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks of the guest, run for real: their state, their order, and what a failure says. */
#include "agent/hooks.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"

TestSuite(hooks, .timeout = 20);

static int run(const char *script, uint32_t timeout_s, struct err *err)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
	char *const envp[] = {(char *)"A=b", NULL};
	struct hook hook = {
		.path = "/bin/sh",
		.argv = (char **)(uintptr_t)argv,
		.envp = (char **)(uintptr_t)envp,
		.timeout_s = timeout_s,
	};
	const struct hooks hooks = {.hooks = &hook, .n = 1, .state = "\"id\":\"x\""};

	return hooks_run(&hooks, "createContainer", "creating", NULL, err);
}

static void fails(const char *script, uint32_t timeout_s, int code, const char *message)
{
	struct err err = ERR_INIT;

	cr_assert_eq(run(script, timeout_s, &err), -code, "%s", script);
	cr_assert_str_eq(err.msg, message);
}

Test(hooks, are_told_the_state)
{
	struct err err = ERR_INIT;
	char script[160];

	snprintf(script, sizeof(script),
		 "test \"$(cat)$A\" = '{\"id\":\"x\",\"status\":\"creating\",\"pid\":%d}b'",
		 getpid());
	cr_assert_eq(run(script, 0, &err), 0, "%s", err.msg);
}

Test(hooks, a_failure_ends_with_what_it_said)
{
	fails("exit 3", 0, EIO, "hooks.createContainer: /bin/sh: exit status 3");
	fails("echo no >&2; echo way >&2; exit 3", 5, EIO,
	      "hooks.createContainer: /bin/sh: exit status 3: no | way");
	fails("echo x >&2; kill -9 $$", 0, EIO,
	      "hooks.createContainer: /bin/sh: killed by signal 9: x");
	fails("echo slow >/dev/stderr; exec sleep 100", 1, ETIMEDOUT,
	      "hooks.createContainer: /bin/sh: not done after 1 seconds: slow");
	fails("echo x >&2; exec 2>&-; exit 1", 0, EIO,
	      "hooks.createContainer: /bin/sh: exit status 1: x");
}

/* More than a pipe holds, and a process that is left behind and holds it. */
Test(hooks, nobody_waits_for_the_pipe)
{
	struct err err = ERR_INIT;

	cr_assert_eq(run("head -c 200000 /dev/zero >&2", 0, &err), 0, "%s", err.msg);
	fails("sleep 100 & head -c 200000 /dev/zero >/dev/null; echo x >&2; exit 1", 0, EIO,
	      "hooks.createContainer: /bin/sh: exit status 1: x");
	cr_assert_eq(run("head -c 200000 /dev/zero >&2; exit 1", 0, &err), -EIO);
	cr_assert_lt(strlen(err.msg), 600);
}

Test(hooks, one_that_is_not_there)
{
	struct hook hook = {
		.path = "/nonexistent", .argv = (char *[]){NULL}, .envp = (char *[]){NULL}};
	const struct hooks hooks = {.hooks = &hook, .n = 1, .state = "\"id\":\"x\""};
	struct err err = ERR_INIT;

	cr_assert_eq(hooks_run(&hooks, "createContainer", "creating", NULL, &err), -EIO);
	cr_assert_str_eq(err.msg, "hooks.createContainer: /nonexistent: exit status 127: "
				  "No such file or directory");
}

static int go_away(const void *data, struct err *err)
{
	/* The descriptors of the agent are closed before there are fewer rights. */
	if (fcntl(*(const int *)data, F_GETFD) >= 0)
		return err_set(err, EMFILE, "a descriptor came along");
	return chdir("/proc") < 0 ? err_set_errno(err, errno, "/proc") : 0;
}

static int refuse(const void *data, struct err *err)
{
	return err_set(err, EPERM, "not allowed");
}

static int run_as(const struct hook_process *process, char **envp, struct err *err)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo $PWD $A $HOME >&2; exit 1", NULL};
	struct hook hook = {.path = "/bin/sh", .argv = argv, .envp = envp};
	const struct hooks hooks = {.hooks = &hook, .n = 1, .state = "\"id\":\"x\""};

	return hooks_run(&hooks, "startContainer", "created", process, err);
}

Test(hooks, run_as_the_process_will)
{
	char *envp[] = {(char *)"A=b", (char *)"HOME=/h", NULL}, *own[] = {(char *)"A=own", NULL},
	     *none[] = {NULL};
	/* As the agent has none by mistake: without close-on-exec. */
	_cleanup_close_ int fd = fcntl(0, F_DUPFD, 50);
	struct hook_process process = {
		.envp = envp, .uid = geteuid(), .become = go_away, .data = &fd};
	struct err err = ERR_INIT;

	cr_assert_eq(run_as(&process, none, &err), -EIO);
	cr_assert_str_eq(err.msg, "hooks.startContainer: /bin/sh: exit status 1: /proc b /h");
	cr_assert_eq(run_as(&process, own, &err), -EIO);
	cr_assert_str_eq(err.msg, "hooks.startContainer: /bin/sh: exit status 1: /proc own");
	process.become = refuse;
	cr_assert_eq(run_as(&process, none, &err), -EIO);
	cr_assert_str_eq(err.msg, "hooks.startContainer: /bin/sh: exit status 126: not allowed");
	/* And what forked them is what it was. */
	cr_assert(fcntl(fd, F_GETFD) >= 0);
}
