/* SPDX-License-Identifier: Apache-2.0 */
/* The note that poststop hooks are due, between a shim and whoever comes after it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/hooks_due.h"

static char dir[] = "/tmp/sbx-due-XXXXXX", path[64];
static struct hooks_due *due;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/poststop", dir);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, dir);
}

TestSuite(hooks_due, .init = set_up, .fini = tear_down, .timeout = 20);

Test(hooks_due, are_his_who_noted_it)
{
	struct err err = ERR_INIT;

	cr_assert_eq(hooks_due_take(path, 0, &due), -ENOENT);
	cr_assert_eq(hooks_due_create(path, &due, &err), 0, "%s", err.msg);
	cr_assert_eq(hooks_due_create(path, &due, &err), -EEXIST);
	cr_assert_eq(hooks_due_take(path, 50, &due), -EBUSY);
	hooks_due_over(due);
	cr_assert_eq(hooks_due_take(path, 0, &due), -ENOENT);
	hooks_due_over(NULL);
}

Test(hooks_due, and_then_the_next_ones)
{
	cr_assert_eq(hooks_due_create(path, &due, NULL), 0);
	hooks_due_destroy(due);
	cr_assert_eq(hooks_due_take(path, 0, &due), 0);
	hooks_due_destroy(due);
	cr_assert_eq(hooks_due_take(path, 0, &due), 0);
	hooks_due_over(due);
	cr_assert_eq(access(path, F_OK), -1);
}

/* Who ends while somebody waits, having run them or not. */
static pid_t noted_by_another(bool runs_them)
{
	int pair[2];
	char word;
	pid_t pid;

	cr_assert_eq(pipe(pair), 0);
	pid = fork();
	if (pid == 0) {
		hooks_due_create(path, &due, NULL);
		(void)!write(pair[1], "x", 1);
		usleep(200000);
		if (runs_them)
			hooks_due_over(due);
		_exit(0);
	}
	cr_assert_eq(read(pair[0], &word, 1), 1);
	return pid;
}

Test(hooks_due, one_who_goes_is_waited_for)
{
	pid_t pid = noted_by_another(false);

	cr_assert_eq(hooks_due_take(path, 10000, &due), 0);
	hooks_due_over(due);
	waitpid(pid, NULL, 0);
}

Test(hooks_due, and_may_have_run_them)
{
	pid_t pid = noted_by_another(true);

	cr_assert_eq(hooks_due_take(path, 10000, &due), -ENOENT);
	waitpid(pid, NULL, 0);
}
