/* SPDX-License-Identifier: Apache-2.0 */
/* Who may dial the hub, and what of it reaches the others: the guest's containers may, too. */
#include "shim/stream_hub.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io.h"
#include "common/loop.h"

static struct loop *loop;
static struct stream_hub *hub;
static char dir[] = "/tmp/sbx-unit-XXXXXX";
static int dirfd_ = -1, got = -1;

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(loop_create(&loop), 0);
	cr_assert_eq(stream_hub_create(loop, dirfd_, &hub), 0);
}

static void tear_down(void)
{
	stream_hub_destroy(hub);
	loop_destroy(loop);
	close_fd(&dirfd_);
	close_fd(&got);
	io_remove_tree(AT_FDCWD, dir);
}

TestSuite(stream_hub, .init = set_up, .fini = tear_down);

static void turns(void)
{
	for (int i = 0; i < 20; i++)
		cr_assert_geq(loop_turn(loop, 0), 0);
}

static void on_stream(int fd, void *data)
{
	got = fd;
}

static int dial(void)
{
	int fd;

	cr_assert_eq(sock_connect_at(dirfd_, "vsock_1025", &fd), 0);
	return fd;
}

static bool is_open(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* As many as there may be, and one more: the oldest goes. */
Test(stream_hub, silent_callers_keep_nobody_out)
{
	struct stream_wait *wait;
	int silent[65], fd;
	uint64_t id;

	cr_assert_eq(stream_hub_expect(hub, on_stream, NULL, &id, &wait), 0);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		silent[i] = dial();
		turns();
	}
	cr_expect_not(is_open(silent[0]));
	cr_expect(is_open(silent[1]));
	fd = dial();
	cr_assert_eq(write(fd, &id, sizeof(id)), sizeof(id));
	turns();
	cr_expect_neq(got, -1);
	cr_expect_not(is_open(silent[1]));
	cr_expect(is_open(silent[2]));
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		close(silent[i]);
	close(fd);
}

Test(stream_hub, an_id_is_good_once)
{
	struct stream_wait *wait;
	int first, second;
	uint64_t id;

	cr_assert_eq(stream_hub_expect(hub, on_stream, NULL, &id, &wait), 0);
	first = dial();
	second = dial();
	cr_assert_eq(write(first, &id, sizeof(id)), sizeof(id));
	turns();
	cr_assert_neq(got, -1);
	cr_assert_eq(write(second, &id, sizeof(id)), sizeof(id));
	turns();
	cr_expect_not(is_open(second));
	cr_expect(is_open(first));
	close(first);
	close(second);
}
