/* SPDX-License-Identifier: Apache-2.0 */
/* Pod directories in a world of their own: who owns them, and what a sweep makes of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/net_join.h"
#include "shim/pod_dir.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	setenv("SBX_ROOT", root, 1);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(pod_dir, .init = set_up, .fini = tear_down);

static struct pod_dir *make(const char *id, enum record_status status, bool remove)
{
	const struct record record = {
		.id = id, .namespace = "t", .status = status, .remove = remove, .shim_pid = 5};
	struct pod_dir *pod = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(pod_dir_create("t", id, &pod, &err), 0, "%s", err.msg);
	cr_assert_eq(pod_dir_write_record(pod, &record, &err), 0, "%s", err.msg);
	return pod;
}

static int status_of(const char *id, struct record *ret)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
	int r = pod_dir_open("t", id, &pod, NULL);

	return r < 0 ? r : pod_dir_read_record(pod, ret, NULL);
}

Test(pod_dir, ids)
{
	static const char *const good[] = {"a", "0", "a-b_c.d", "0123456789ab", "a-", "a__b+.."};
	static const char *const bad[] = {"", ".", "..", "a/b", "-a", ".a", "a b", "\xc3\xa4"};
	char longest[POD_ID_MAX + 2];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_assert(pod_id_is_valid(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_not(pod_id_is_valid(bad[i]), "%s", bad[i]);
	cr_assert(pod_name_is_valid("a-b_c.d"));
	cr_assert_not(pod_name_is_valid("a-"));
	cr_assert_not(pod_name_is_valid("a..b"));
	cr_assert_not(pod_name_is_valid("a+b"));
	cr_assert(pod_namespace_is_valid("oci") && pod_namespace_is_valid("@oci-1f"));
	cr_assert_not(pod_namespace_is_valid("@"));
	cr_assert_not(pod_namespace_is_valid("@@oci"));
	cr_assert_not(pod_id_is_valid("@oci"));
	memset(longest, 'x', sizeof(longest));
	longest[POD_ID_MAX + 1] = '\0';
	cr_assert_not(pod_id_is_valid(longest));
	longest[POD_ID_MAX] = '\0';
	cr_assert(pod_id_is_valid(longest));
}

Test(pod_dir, is_private_and_there_once)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = make("a", RECORD_CREATED, false);
	struct pod_dir *second = NULL;
	struct stat st;

	cr_assert_eq(fstat(pod->dirfd, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0700);
	cr_assert_eq(pod_dir_create("t", "a", &second, NULL), -EEXIST);
	cr_assert_eq(pod_dir_open("t", "b", &second, NULL), -ENOENT);
	cr_assert_eq(pod_dir_create("t", "../x", &second, NULL), -EINVAL);
}

Test(pod_dir, sweep_leaves_the_living_alone)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = make("a", RECORD_RUNNING, true);
	_cleanup_record_ struct record record = {0};

	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("a", &record), 0);
	cr_assert_eq(record.status, RECORD_RUNNING);
}

Test(pod_dir, sweep_buries_the_dead)
{
	_cleanup_record_ struct record record = {0};

	pod_dir_free(make("kept", RECORD_RUNNING, false));
	pod_dir_free(make("gone", RECORD_RUNNING, true));
	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("kept", &record), 0);
	cr_assert_eq(record.status, RECORD_STOPPED);
	cr_assert_eq(record.exit_status, 137);
	cr_assert_eq(record.shim_pid, 0);
	cr_assert_not_null(record.error);
	cr_assert_eq(status_of("gone", &record), -ENOENT);
}

Test(pod_dir, sweep_keeps_the_records_of_the_ended)
{
	_cleanup_record_ struct record record = {0};

	pod_dir_free(make("a", RECORD_STOPPED, false));
	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("a", &record), 0);
	cr_assert_eq(record.exit_status, 0);
}

Test(pod_dir, sweep_removes_half_made_ones)
{
	struct pod_dir *pod = NULL;
	struct record record = {0};

	cr_assert_eq(pod_dir_create("t", "a", &pod, NULL), 0);
	cr_assert_eq(mkdirat(pod->dirfd, "vsock", 0700), 0);
	pod_dir_free(pod);
	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("a", &record), -ENOENT);
}

/* Those that clean up find no directory that is made and not yet locked. */
Test(pod_dir, is_made_under_the_eyes_of_sweepers, .timeout = 60)
{
	pid_t sweepers[16];

	for (size_t i = 0; i < ARRAY_SIZE(sweepers); i++) {
		sweepers[i] = fork();
		if (sweepers[i] == 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (bool remove = i; sweepers[i] == 0; remove = !remove)
			remove ? pod_dir_remove_dead("t", NULL) : pod_dir_sweep("t", NULL);
	}
	for (int i = 0; i < 100; i++) {
		_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
		struct err err = ERR_INIT;

		cr_assert_eq(pod_dir_create("t", "half", &pod, &err), 0, "%d: %s", i, err.msg);
		cr_assert_eq(faccessat(pod->dirfd, "lock", F_OK, 0), 0);
		cr_assert_eq(pod_dir_remove(pod, &err), 0, "%d: %s", i, err.msg);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sweepers); i++) {
		kill(sweepers[i], SIGKILL);
		waitpid(sweepers[i], NULL, 0);
	}
}

Test(pod_dir, without_records_the_dead_leave_nothing)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *alive = make("alive", RECORD_RUNNING, false);
	_cleanup_record_ struct record record = {0};
	struct pod_dir *half = NULL;

	pod_dir_free(make("dead", RECORD_RUNNING, false));
	cr_assert_eq(pod_dir_create("t", "half", &half, NULL), 0);
	pod_dir_free(half);
	cr_assert_eq(pod_dir_remove_dead("t", NULL), 0);
	cr_assert_eq(status_of("dead", &record), -ENOENT);
	cr_assert_eq(status_of("half", &record), -ENOENT);
	cr_assert_eq(status_of("alive", &record), 0);
	cr_assert_eq(pod_dir_remove_dead("other", NULL), 0, "no such namespace is nothing to do");
}

Test(pod_dir, the_lock_lives_with_whoever_inherits_it)
{
	struct pod_dir *pod = make("a", RECORD_RUNNING, false);
	_cleanup_record_ struct record record = {0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	pod_dir_free(pod);
	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("a", &record), 0);
	cr_assert_eq(record.status, RECORD_RUNNING, "the child has the lock");
	record_finish(&record);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	cr_assert_eq(pod_dir_sweep("t", NULL), 0);
	cr_assert_eq(status_of("a", &record), 0);
	cr_assert_eq(record.status, RECORD_STOPPED);
}

Test(pod_dir, a_lock_that_is_handed_over_must_be_the_pods)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = make("a", RECORD_RUNNING, false);
	_cleanup_(pod_dir_free_p) struct pod_dir *other = make("b", RECORD_RUNNING, false);
	_cleanup_(pod_dir_free_p) struct pod_dir *heir = NULL;

	cr_assert_eq(pod_dir_open("t", "a", &heir, NULL), 0);
	cr_assert_eq(pod_dir_adopt_lock(heir, other->lock_fd), -EINVAL);
	cr_assert_eq(pod_dir_adopt_lock(heir, dup(pod->lock_fd)), 0);
}

Test(pod_dir, refuses_a_directory_of_others)
{
	_cleanup_free_ char *path = NULL;
	struct pod_dir *pod = NULL;
	struct err err = ERR_INIT;

	cr_assert_gt(asprintf(&path, "%s/run", root), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_assert_eq(pod_dir_create("t", "a", &pod, &err), -EPERM);
}

/* What is noted may be gone: a namespace goes with its last user. */
Test(pod_dir, a_network_namespace_that_is_no_more)
{
	const struct net_joint joint = {
		.netns = {.dev = 3, .ino = 4026531999u}, .index = 2, .mtu = 1500};
	_cleanup_(pod_dir_free_p) struct pod_dir *pod = make("net", RECORD_RUNNING, true);
	char path[128];
	struct err err = ERR_INIT;

	cr_assert_eq(pod_dir_write_network(pod, "/run/netns/no such", &joint, &err), 0, "%s",
		     err.msg);
	snprintf(path, sizeof(path), "%s/network", pod->path);
	cr_expect_eq(access(path, F_OK), 0);
	cr_expect_eq(pod_dir_remove(pod, &err), 0, "%s", err.msg);
	cr_expect_eq(access(pod->path, F_OK), -1);
}
