/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/binary_log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/loop.h"

static struct binary_log_args args;
static struct err err;

static int parse(const char *uri)
{
	err = (struct err)ERR_INIT;
	return binary_log_parse(uri, &args, &err);
}

static void expect(const char *uri, const char *const *want)
{
	size_t i = 0;

	cr_assert_eq(parse(uri), 0, "%s: %s", uri, err.msg);
	for (; want[i]; i++)
		cr_expect(i < args.n && strcmp(args.argv[i], want[i]) == 0, "%s: word %zu", uri, i);
	cr_expect_eq(args.n, i, "%s: %zu words", uri, args.n);
	cr_expect_null(args.argv[args.n]);
	binary_log_args_finish(&args);
}

Test(binary_log, words_of_a_uri)
{
	expect("binary:///bin/log", (const char *[]){"/bin/log", NULL});
	expect("binary:///bin/log?", (const char *[]){"/bin/log", NULL});
	expect("binary:///bin/log?a=b&c=d#e",
	       (const char *[]){"/bin/log", "a", "b", "c", "d", NULL});
	expect("binary:///bin/log?a&b=&c",
	       (const char *[]){"/bin/log", "a", "", "b", "", "c", "", NULL});
	expect("binary:///a%20b+c?k%3d=v%26+w", (const char *[]){"/a b+c", "k=", "v& w", NULL});
	expect("binary:///l?a=1&a=2&&b=3", (const char *[]){"/l", "a", "1", "b", "3", NULL});
}

Test(binary_log, what_is_no_command)
{
	static const char *const wrong[] = {
		"binary://", "binary://log",    "binary://?a=b",     "binary:///l?a=%0",
		"file:///l", "binary:///l%00x", "binary:///l?a=%zz", "binary:///%",
	};
	char many[512] = "binary:///l?";

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		cr_expect_eq(parse(wrong[i]), -EINVAL, "%s", wrong[i]);
		cr_expect_neq(err.msg[0], '\0');
	}
	for (int i = 0; i < 33; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "k%d&", i);
	cr_expect_eq(parse(many), -EINVAL);
	many[strlen(many) - 4] = '\0';
	cr_expect_eq(parse(many), 0);
	binary_log_args_finish(&args);
}

static char root[] = "/tmp/sbx-unit-XXXXXX";

/* Whether the file says just that. */
static bool says(const char *name, const char *want)
{
	_cleanup_close_ int dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t size;

	return io_read_file(dirfd, name, 4096, &text, &size) == 0 && strcmp(text, want) == 0;
}

static void write_script(const char *text)
{
	char path[64];
	int fd;

	cr_assert_not_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/log", root);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	cr_assert_eq(io_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

Test(binary_log, a_program_gets_it_all, .timeout = 30)
{
	char uri[128];
	struct binary_log *log;
	struct loop *loop;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	write_script(
		"#!/bin/sh\ncd ${0%/*}\necho ready >&5; exec 5>&-\n"
		"echo \"$1 $2 $CONTAINER_ID $CONTAINER_NAMESPACE $(env | grep -c ^HOME=)\" >who\n"
		"cat <&3 >out; cat <&4 >err; echo done >end\n");
	snprintf(uri, sizeof(uri), "binary://%s/log?key=value", root);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(binary_log_start(loop, uri, "id1", "ns1", fds, &log, &err), 0, "%s", err.msg);
	cr_assert_eq(io_write_full(fds[0], "to out", 6), 0);
	cr_assert_eq(io_write_full(fds[1], "to err", 6), 0);
	close(fds[0]);
	close(fds[1]);
	binary_log_end(log);
	while (!says("end", "done\n"))
		cr_assert_eq(loop_turn(loop, 20), 0);
	cr_expect(says("who", "key value id1 ns1 0\n"));
	cr_expect(says("out", "to out"));
	cr_expect(says("err", "to err"));
	loop_turn(loop, 200);
	loop_destroy(loop);
	io_remove_tree(AT_FDCWD, root);
}

Test(binary_log, a_program_that_is_not_there)
{
	struct binary_log *log;
	struct loop *loop;
	int fds[2];

	cr_assert_eq(loop_create(&loop), 0);
	cr_expect_lt(binary_log_start(loop, "binary:///no/such", "i", "n", fds, &log, &err), 0);
	cr_expect(strstr(err.msg, "/no/such"), "%s", err.msg);
	loop_destroy(loop);
}
