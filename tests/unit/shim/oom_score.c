/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "shim/container.h"
#include "shim/oom_score.h"
#include "shim/shim.h"
#include "shim/spawn.h"
#include "shim/spec.h"

Test(oom_score, above)
{
	cr_assert_eq(oom_score_above(-999), -998);
	cr_assert_eq(oom_score_above(-1), 0);
	cr_assert_eq(oom_score_above(0), 1);
	cr_assert_eq(oom_score_above(999), 1000);
	cr_assert_eq(oom_score_above(1000), 1000);
}

Test(oom_score, own_is_written_and_read)
{
	int score;

	/* Anybody may raise it. */
	cr_assert_eq(oom_score_write(0, 900), 0);
	cr_assert_eq(oom_score_read(0, &score), 0);
	cr_assert_eq(score, 900);
	cr_assert_eq(oom_score_read(getpid(), &score), 0);
	cr_assert_eq(score, 900);
	cr_assert_eq(oom_score_write(0, 1001), -EINVAL);
}

Test(oom_score, of_nobody)
{
	int score = 7;

	cr_assert_lt(oom_score_read(0x7ffffff0, &score), 0);
	cr_assert_eq(score, 7);
	cr_assert_lt(oom_score_write(0x7ffffff0, 0), 0);
}

static int of(const char *config)
{
	_cleanup_(spec_free_p) struct spec *spec = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(spec_parse(config, strlen(config), &spec, &err), 0, "%s", err.msg);
	return oom_score_of_spec(spec);
}

Test(oom_score, of_a_spec)
{
	cr_assert_eq(of("{\"ociVersion\":\"1.0.2\"}"), 0);
	cr_assert_eq(of("{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\"}}"), 0);
	cr_assert_eq(
		of("{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\",\"oomScoreAdj\":-997}}"),
		-997);
}

Test(oom_score, of_a_child)
{
	static const int score = 950;
	static const char *const argv[] = {"/bin/sh", "-c",
					   "read a </proc/self/oom_score_adj; [ $a = 950 ]", NULL};
	const struct spawn spawn = {.argv = argv, .out_fd = -1, .err_fd = -1, .oom_score = &score};
	_cleanup_close_ int pidfd = -1;
	struct err err = ERR_INIT;
	char how[64];
	pid_t pid;

	cr_assert_eq(spawn_start(&spawn, &pid, &pidfd, &err), 0, "%s", err.msg);
	cr_assert_eq(spawn_reap(pidfd, how, sizeof(how)), 0, "%s", how);
}

static int told;

static int tell(struct hypervisor *hv, int score)
{
	hv->oom_score = score;
	told++;
	return 0;
}

/* The pod's memory counts as that of its dearest container, and the sandbox container as none. */
Test(oom_score, follows_the_containers)
{
	static const struct hypervisor_ops ops = {.set_oom_score = tell};
	struct hypervisor hv = {.ops = &ops, .oom_score = -998};
	struct shim shim = {.sandbox.hv = &hv};
	struct container sandbox = {.sandbox = true, .oom_score = -998};
	struct container first = {.oom_score = 900}, second = {.oom_score = 700};

	list_init(&shim.containers);
	list_append(&shim.containers, &sandbox.link);
	oom_score_follow(&shim);
	cr_assert_eq(hv.oom_score, -998);
	list_append(&shim.containers, &first.link);
	oom_score_follow(&shim);
	cr_assert_eq(hv.oom_score, 900);
	list_append(&shim.containers, &second.link);
	oom_score_follow(&shim);
	cr_assert_eq(hv.oom_score, 700);
	cr_assert_eq(told, 2);
	list_remove(&second.link);
	oom_score_follow(&shim);
	cr_assert_eq(hv.oom_score, 900);
}
