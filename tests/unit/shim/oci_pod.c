/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a pod's shim, in a world of its own. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"
#include "common/rpc.h"
#include "shim/oci_pod.h"
#include "shim/pod_socket.h"

static char root[] = "/tmp/sbx-unit-XXXXXX";
static const struct oci oci = {.root = "/run/sbx-oci"};

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(root));
	setenv("SBX_ROOT", root, 1);
}

static void tear_down(void)
{
	io_remove_tree(AT_FDCWD, root);
}

TestSuite(oci_pod, .init = set_up, .fini = tear_down, .timeout = 20);

/* A shim that takes its time, and one client. */
static void serve(void)
{
	const struct rpc_config config = {.role = "shim"};
	struct rpc_conn *conn = NULL;
	struct loop *loop = NULL;
	int dirfd, fd, client;
	char name[33];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	poll(NULL, 0, 300);
	pod_socket_name("@oci", "p", name);
	if (pod_socket_dir(&dirfd, NULL, NULL) < 0 || sock_listen_at(dirfd, name, 1, &fd) < 0 ||
	    loop_create(&loop) < 0)
		_exit(1);
	poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
	client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (rpc_conn_create(loop, client, &config, &conn) < 0)
		_exit(1);
	for (;;)
		loop_turn(loop, -1);
}

Test(oci_pod, of_two_who_come_first_one_waits_for_the_others_shim)
{
	_cleanup_(pod_dir_free_p) struct pod_dir *dir = NULL;
	struct cli_shim shim = {0};
	struct err err = ERR_INIT;
	pid_t pid;

	cr_assert_eq(pod_dir_create("@oci", "p", &dir, &err), 0, "%s", err.msg);
	pid = fork();
	if (pid == 0)
		serve();
	cr_assert_eq(oci_pod_obtain(&oci, "p", &shim, &err), 0, "%s", err.msg);
	cr_assert_not_null(shim.conn);
	cli_shim_close(&shim);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
