/* SPDX-License-Identifier: Apache-2.0 */
/* A tap's queues, of which the kernel's part is played here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/loop.h"
#include "vmm/net_backend.h"

#define QUEUES 4

static int changes;
static bool is_tap[4096], attached[4096]; /* by descriptor */

/* In the place of the C library's, for all tests of this program. */
int ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *ifr;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	ifr = arg;
	switch (fd >= 0 && fd < 4096 && is_tap[fd] ? request : 0) {
	case TUNGETIFF:
		ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
		return 0;
	case TUNSETVNETHDRSZ:
		return 0;
	case TUNSETQUEUE:
		attached[fd] = ifr->ifr_flags & IFF_ATTACH_QUEUE;
		changes++;
		return 0;
	case TUNSETOFFLOAD:
		changes++;
		return 0;
	default:
		return (int)syscall(SYS_ioctl, fd, request, arg);
	}
}

static int read_error; /* what reading a queue says; 0: it is asked */

ssize_t readv(int fd, const struct iovec *iov, int n)
{
	if (fd < 0 || fd >= 4096 || !is_tap[fd] || !read_error)
		return syscall(SYS_readv, fd, iov, n);
	errno = read_error;
	return -1;
}

static void nothing(void *data)
{
}

static void nothing_of(void *data, unsigned pair)
{
}

static struct loop *loop;
static struct net_backend *tap;
static int fds[QUEUES], ends[QUEUES];

static void setup(void)
{
	const struct net_backend_events events = {nothing_of, nothing, nothing, NULL};
	int pair[2];

	cr_assert_eq(loop_create(&loop), 0);
	for (int i = 0; i < QUEUES; i++) {
		cr_assert_eq(pipe(pair), 0);
		fds[i] = pair[0];
		ends[i] = pair[1];
		is_tap[fds[i]] = attached[fds[i]] = true;
	}
	cr_assert_eq(net_tap_create(loop, fds, QUEUES, &events, &tap, NULL), 0);
}

static void teardown(void)
{
	tap->ops->destroy(tap);
	loop_destroy(loop);
	for (int i = 0; i < QUEUES; i++)
		close(ends[i]);
	memset(is_tap, 0, sizeof(is_tap));
}

TestSuite(net_tap, .init = setup, .fini = teardown);

static int in_use(void)
{
	int n = 0;

	for (int i = 0; i < QUEUES; i++)
		n += attached[fds[i]];
	return n;
}

Test(net_tap, has_the_queues_that_the_driver_uses)
{
	tap->ops->configure(tap, 0, 1);
	cr_expect_eq(in_use(), 1);
	tap->ops->configure(tap, 0, 3);
	cr_expect_eq(in_use(), 3);
	changes = 0;
	tap->ops->configure(tap, 0, 3);
	cr_expect_eq(changes, 0, "no change without a difference");
}

/* Each takes a lock of the whole host's. */
Test(net_tap, a_driver_that_changes_its_mind_all_the_time_does_so_at_a_rate)
{
	for (unsigned i = 0; i < 10000; i++)
		tap->ops->configure(tap, 1ull << (i % 2), i % QUEUES + 1);
	cr_expect_lt(changes, 100);
	tap->ops->configure(tap, 0, QUEUES);
	for (int i = 0; i < 1000 && in_use() != QUEUES; i++)
		loop_turn(loop, 10);
	cr_expect_eq(in_use(), QUEUES, "the last word holds, if late");
}

/* The kernel drops a packet whose offload it cannot put into words, and says EINVAL. */
Test(net_tap, a_packet_that_the_kernel_dropped_is_not_the_end)
{
	char byte;
	struct iovec iov = {&byte, 1};

	read_error = EINVAL;
	cr_expect_eq(tap->ops->receive(tap, 0, &iov, 1), 1, "too short for a packet: counted");
	read_error = EAGAIN;
	cr_expect_eq(tap->ops->receive(tap, 0, &iov, 1), 0);
	read_error = EBADFD;
	cr_expect_lt(tap->ops->receive(tap, 0, &iov, 1), 0);
}
