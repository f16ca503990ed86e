/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/container_net.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/io.h"
#include "tests/unit/shim/fake_guest.h"

/* --- what there is ---------------------------------------------------------------------------- */

#define HEADINGS                                                                                   \
	"Inter-|   Receive                                                |  Transmit\n"           \
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets\n"
#define LO   "    lo:       0       0    0    0    0     0          0         0        0\n"
#define ETH0 "  eth0: 1254786     911    0    0    0     0          0         0    68110\n"

Test(container_net, an_interface_beside_lo)
{
	cr_assert(container_net_is_listed(HEADINGS LO ETH0));
	cr_assert(container_net_is_listed(HEADINGS ETH0 LO));
	cr_assert(container_net_is_listed(HEADINGS ETH0));
	cr_assert(container_net_is_listed(HEADINGS LO "lo0: 0 0 0\n"));
	cr_assert(container_net_is_listed(HEADINGS LO "   lol:1"));
}

Test(container_net, lo_alone)
{
	cr_assert_not(container_net_is_listed(HEADINGS LO));
	cr_assert_not(container_net_is_listed(HEADINGS));
	cr_assert_not(container_net_is_listed(""));
}

/* --- and when --------------------------------------------------------------------------------- */

TestSuite(container_net_start, .init = guest_set_up, .fini = guest_tear_down);

static void on_net(struct container *container, const struct err *err)
{
	cr_assert_fail("nobody waits for it any more");
}

Test(container_net_start, without_one_the_guest_is_asked_at_once)
{
	guest.container->own_net = true;
	guest_ask_start("", "start");
	guest_answers("Start", "");
	cr_assert_str_eq(guest.answers, "start;");
}

static int attach(struct hypervisor *hv, const struct hypervisor_net *net, hypervisor_done fn,
		  void *data)
{
	cr_assert_fail("nothing was joined");
	return 0;
}

static bool has_interface(void)
{
	_cleanup_free_ char *dev = NULL;
	size_t size;

	cr_assert_eq(io_read_file(AT_FDCWD, "/proc/self/net/dev", 1u << 20, &dev, &size), 0);
	return container_net_is_listed(dev);
}

/* QEMU, where we may make no namespace for it. */
Test(container_net_start, our_own_network_is_none_of_the_containers)
{
	static const struct hypervisor_ops ops = {.name = "none"};
	struct hypervisor monitor = {.ops = &ops, .pid = getpid()};

	if (!has_interface())
		cr_skip_test("no interface here");
	guest.shim->sandbox.hv = &monitor;
	guest.container->own_net = true;
	guest_ask_start("", "start");
	guest_answers("Start", "");
	cr_assert_str_eq(guest.answers, "start;");
}

/* Of a monitor that shares our network nothing is taken. And a client that is refused can delete at once. */
Test(container_net_start, a_failure_is_told_when_the_container_has_ended)
{
	static const struct hypervisor_ops ops = {.attach_net = attach};
	struct hypervisor monitor = {.ops = &ops, .pid = getpid()};
	struct process *init = &guest.container->init;

	if (!has_interface())
		cr_skip_test("no interface here");
	guest.shim->sandbox.hv = &monitor;
	guest.container->own_net = true;
	guest_ask_start("", "start");
	cr_assert_str_eq(guest.answers, "");
	cr_assert_not(guest_was_asked("Start", ""));
	guest_answers("Kill", "");
	guest_exits("", 137);
	cr_assert_str_eq(guest.answers, "start failed (5);");
	cr_assert(strstr(guest.said, "it is the host's own"), "%s", guest.said);
	cr_assert_eq(init->state, PROCESS_STOPPED);
	guest.shim->sandbox.hv = NULL;
}

Test(container_net_start, a_container_that_ends_waits_for_no_network)
{
	struct process *init = &guest.container->init;

	guest.container->net_taken = on_net;
	guest.shim->net_taker = guest.container;
	init->state = PROCESS_STARTING;
	init->start = guest_keep_call("start");
	guest_exits("", 137);
	cr_assert_str_eq(guest.answers, "start failed (5);");
	cr_assert_str_eq(guest.said, "the container has ended before its start");
	cr_assert_not(init->never_ran, "its end is told");
	guest_ask_delete("", "delete");
	guest_answers("Delete", "");
	cr_assert_null(guest.shim->net_taker);
}
