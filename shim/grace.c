/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: KVM has a kernel thread for each VM, which it moves into its owner's cgroup when
 * the VM is made and out of it when it ends. Who moves a process takes a lock over all forks of the
 * machine; the first who takes it after a while waits for a grace period of RCU, some 10 ms, and who
 * comes within the next one does not. So we take it ahead, on a thread, while there are other things to
 * do: before a VM is made, when its guest is ready (a program may be done within milliseconds), and when it is
 * about to be ended. We ask the root cgroup (v2) for a process that cannot be. The kernel takes the lock, finds none,
 * and has moved nobody. Where we may not ask KVM waits, as it would have.
 */
#include "shim/grace.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/io.h"
#include "common/thread.h"

#define NOBODY "4194304" /* PID_MAX_LIMIT: every process's number is below */

static void *take_lock(void *data)
{
	/* ESRCH is what is wanted; nobody counts on it. */
	io_write_value(AT_FDCWD, "/sys/fs/cgroup/cgroup.procs", NOBODY);
	return NULL;
}

void grace_begin(void)
{
	if (geteuid() == 0)
		thread_run(take_lock, NULL, NULL);
}
