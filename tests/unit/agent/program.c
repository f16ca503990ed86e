/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/program.h"

static struct err err;

static struct process_plan plan_of(char **argv, char **envp)
{
	return (struct process_plan){.argv = argv, .envp = envp, .cwd = "/usr"};
}

static int find(const char *program, const char *path)
{
	char name[128], search[128];
	char *argv[] = {name, NULL}, *envp[] = {path ? search : NULL, NULL};
	struct process_plan process = plan_of(argv, envp);

	err = (struct err)ERR_INIT;
	snprintf(name, sizeof(name), "%s", program);
	snprintf(search, sizeof(search), "PATH=%s", path ? path : "");
	return program_find(&process, &err);
}

Test(program, by_path)
{
	cr_assert_eq(find("/bin/sh", NULL), 0);
	cr_assert_eq(find("bin/env", NULL), 0, "from the working directory: %s", err.msg);
	cr_assert_eq(find("/no/such/program", NULL), -ENOENT);
	cr_assert_str_eq(err.msg, "exec: \"/no/such/program\": no such file or directory");
	cr_assert_eq(find("/bin/sh/x", NULL), -ENOENT);
	cr_assert_eq(find("/etc", NULL), -EACCES);
	cr_assert_str_eq(err.msg, "exec: \"/etc\": permission denied");
	cr_assert_eq(find("/etc/passwd", NULL), -EACCES);
}

Test(program, by_search)
{
	cr_assert_eq(find("sh", NULL), 0);
	cr_assert_eq(find("sh", "/nowhere:/bin"), 0);
	cr_assert_eq(find("sh", "/nowhere"), -ENOENT);
	cr_assert_str_eq(err.msg, "exec: \"sh\": executable file not found in $PATH");
	cr_assert_eq(find("passwd", "/etc:/nowhere"), -EACCES, "the better reason");
	cr_assert_eq(find("nonsense", "/bin::/sbin"), -ENOENT);
	cr_assert_eq(chdir("/bin"), 0);
	cr_assert_eq(find("sh", ":"), -ENOENT, "an empty entry is no directory");
}

/* What cannot be told from outside is left for the start to say. */
Test(program, what_is_not_looked_at)
{
	char name[] = "/tmp/program-XXXXXX";
	int fd = mkstemp(name);

	cr_assert_geq(fd, 0);
	cr_assert_eq(fchmod(fd, 0100), 0);
	close(fd);
	cr_assert_eq(find(name, NULL), 0, "an empty file: %s", err.msg);
	cr_assert_eq(unlink(name), 0);
	cr_assert_eq(symlink(name, name), 0);
	cr_assert_eq(find(name, NULL), 0, "a loop: %s", err.msg);
	cr_assert_eq(unlink(name), 0);
}

Test(program, finding_and_running_agree)
{
	char *found[] = {(char[]){"true"}, NULL}, *lost[] = {(char[]){"/etc/passwd"}, NULL};
	char *envp[] = {(char[]){"PATH=/etc:/bin"}, NULL};
	struct process_plan there = plan_of(found, envp), absent = plan_of(lost, envp);
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(program_exec(&there));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_eq(program_exec(&absent), EACCES);
	cr_assert_eq(program_err(&err, &absent, ENOEXEC, " (exit status 126)"), -ENOEXEC);
	cr_assert_str_eq(err.msg, "exec: \"/etc/passwd\": Exec format error (exit status 126)");
}
