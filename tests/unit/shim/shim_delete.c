/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd runs for each container of a shim that has died, all at once: none is in another's way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "shim/pod_dir.h"
#include "shim/pod_socket.h"
#include "shim/shim_boot.h"
#include "task.pb-c.h"

static char root[] = "/tmp/sbx-unit-XXXXXX", bundle[64];

static void set_up(void)
{
	static const char config[] = "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}";
	int dirfd;

	cr_assert_not_null(mkdtemp(root));
	setenv("SBX_ROOT", root, 1);
	snprintf(bundle, sizeof(bundle), "%s/bundle", root);
	cr_assert_eq(io_mkdirs(bundle, 0700), 0);
	dirfd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(io_write_atomic(dirfd, "config.json", config, sizeof(config) - 1, 0600), 0);
	close(dirfd);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(shim_delete, .init = set_up, .fini = tear_down);

/* A process that goes with its test. */
static pid_t begin(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static pid_t bystander(void)
{
	pid_t pid = begin();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static bool lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* Where a shim listens, or has: then its socket refuses. */
static int listen_as_shim(void)
{
	int dirfd, fd;
	char name[33];

	pod_socket_name("k8s.io", "pod", name);
	if (pod_socket_dir(&dirfd, NULL, NULL) < 0 || sock_listen_at(dirfd, name, 8, &fd) < 0)
		_exit(1);
	return fd;
}

/* Makes the pod and holds its lock; shim_pid is its owner by the record, 0: itself. */
static void hold_pod(pid_t shim_pid, bool listens, int ready_fd)
{
	struct pod_dir *pod = NULL;
	struct record record = {.id = "pod", .namespace = "k8s.io", .shim_pid = shim_pid};
	int fd = listen_as_shim();

	if (!listens)
		close(fd);
	if (!shim_pid)
		record.shim_pid = getpid();
	if (pod_dir_create("k8s.io", "pod", &pod, NULL) < 0 ||
	    pod_dir_write_record(pod, &record, NULL) < 0 || write(ready_fd, "", 1) != 1)
		_exit(1);
	if (listens)
		pause();
	/* As another's delete: for as long as a tap is busy. */
	usleep(300000);
	_exit(pod_dir_remove(pod, NULL) < 0);
}

static pid_t start_holder(pid_t shim_pid, bool listens)
{
	int pair[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	pid = begin();
	if (pid == 0)
		hold_pod(shim_pid, listens, pair[1]);
	cr_assert_eq(read(pair[0], &byte, 1), 1);
	close(pair[0]);
	close(pair[1]);
	return pid;
}

/* Runs it; the status that it answers. */
static uint32_t delete (const char *id)
{
	const struct shim_flags flags = {.namespace = "k8s.io", .id = id, .bundle = bundle};
	int pair[2], own = dup(STDOUT_FILENO);
	Task__DeleteResponse *response;
	struct err err = ERR_INIT;
	uint32_t status;
	uint8_t buf[64];
	ssize_t n;

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	dup2(pair[1], STDOUT_FILENO);
	n = shim_delete(&flags, &err);
	dup2(own, STDOUT_FILENO);
	cr_assert_eq(n, 0, "%s", err.msg);
	n = read(pair[0], buf, sizeof(buf));
	response = (Task__DeleteResponse *)protobuf_c_message_unpack(
		&task__delete_response__descriptor, NULL, (size_t)n, buf);
	cr_assert_not_null(response);
	status = response->exit_status;
	protobuf_c_message_free_unpacked(&response->base, NULL);
	close(pair[0]);
	close(pair[1]);
	close(own);
	return status;
}

static void expect_gone(void)
{
	struct pod_dir *pod;

	cr_expect_eq(pod_dir_open("k8s.io", "pod", &pod, NULL), -ENOENT);
}

Test(shim_delete, a_member_waits_for_another_that_removes_the_pod)
{
	pid_t other = bystander(), holder = start_holder(other, false);

	cr_expect_eq(delete ("member"), 137);
	cr_expect(lives(other), "the shim's number is somebody else's by now");
	cr_expect_eq(waitpid(holder, NULL, 0), holder);
	expect_gone();
}

Test(shim_delete, so_does_the_pods_own)
{
	pid_t other = bystander(), holder = start_holder(other, false);

	cr_expect_eq(delete ("pod"), 137);
	cr_expect(lives(other));
	cr_expect_eq(waitpid(holder, NULL, 0), holder);
	expect_gone();
}

Test(shim_delete, a_shim_that_lives_is_killed_for_its_pod)
{
	pid_t shim = start_holder(0, true);
	int status;

	cr_expect_eq(delete ("pod"), 137);
	cr_assert_eq(waitpid(shim, &status, 0), shim);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	expect_gone();
}

static void __attribute__((noreturn)) call(struct pod_dir *pod, const char *id)
{
	const struct shim_flags flags = {.namespace = "k8s.io", .id = id, .bundle = bundle};
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* The lock is the maker's alone to let go of. */
	close_fd(&pod->lock_fd);
	dup2(null_fd, STDOUT_FILENO);
	_exit(shim_delete(&flags, NULL) < 0);
}

/* As containerd calls them: whoever is in the middle of it does not fail by who comes next. */
Test(shim_delete, all_at_once)
{
	for (unsigned round = 0; round < 100; round++) {
		_cleanup_(pod_dir_free_p) struct pod_dir *pod = NULL;
		pid_t callers[6];
		int status;

		cr_assert_eq(pod_dir_create("k8s.io", "pod", &pod, NULL), 0);
		for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
			callers[i] = begin();
			if (callers[i] == 0)
				call(pod, i ? "member" : "pod");
		}
		close_fd(&pod->lock_fd);
		for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
			cr_assert_eq(waitpid(callers[i], &status, 0), callers[i]);
			cr_expect_eq(status, 0, "round %u, caller %zu", round, i);
		}
		expect_gone();
	}
}

Test(shim_delete, a_member_outlives_the_shim_that_it_asks)
{
	pid_t shim = start_holder(0, true), killer = begin();

	if (killer == 0) {
		usleep(300000);
		_exit(kill(shim, SIGKILL) < 0);
	}
	cr_expect_eq(delete ("member"), 137);
	cr_expect_eq(waitpid(shim, NULL, 0), shim);
	expect_gone();
}
