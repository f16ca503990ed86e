/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#include "seccomp_devices.inc"
#include "seccomp_main.inc"
#include "seccomp_share.inc"
#include "seccomp_vcpu.inc"
#include "seccomp_worker.inc"

#ifndef SBX_SANITIZED
/* Fewer than Firecracker's, which was the bar. */
static_assert(ARRAY_SIZE(main_calls) < 50, "the main thread has too many system calls");
static_assert(ARRAY_SIZE(vcpu_calls) < 27, "a vCPU's thread has too many system calls");
#endif

#define LIST(name)                                                                                 \
	{                                                                                          \
#name, name##_filter, name##_calls, ARRAY_SIZE(name##_filter),                     \
			ARRAY_SIZE(name##_calls)                                                   \
	}

static const struct {
	const char *name;
	const struct sock_filter *filter;
	const short *calls;
	unsigned short n_filter, n_calls;
} lists[] = {
	[SECCOMP_MAIN] = LIST(main),       [SECCOMP_VCPU] = LIST(vcpu),
	[SECCOMP_WORKER] = LIST(worker),   [SECCOMP_SHARE] = LIST(share),
	[SECCOMP_DEVICES] = LIST(devices),
};
static_assert(ARRAY_SIZE(lists) == SECCOMP_LISTS, "each list");

static bool armed;

void seccomp_arm(void)
{
	armed = true;
}

int seccomp_enter(enum seccomp_list list)
{
	const struct sock_fprog prog = {
		.len = lists[list].n_filter,
		.filter = (struct sock_filter *)lists[list].filter,
	};

	if (!armed)
		return 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

const char *seccomp_list_name(enum seccomp_list list)
{
	return lists[list].name;
}

unsigned seccomp_list_size(enum seccomp_list list)
{
	return lists[list].n_calls;
}

bool seccomp_list_has(enum seccomp_list list, long nr)
{
	for (unsigned i = 0; i < lists[list].n_calls; i++)
		if (lists[list].calls[i] == nr)
			return true;
	return false;
}
