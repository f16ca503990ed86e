/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "shim/kvm_probe.h"
#include "shim/probe_guest.h"

/* 40000 instructions in 13 ms are an emulator's; 0.1 ms are a machine's, 8 ms a busy one's. */
static const struct {
	struct kvm_probe_facts facts;
	enum kvm_probe_code code;
} cases[] = {
	{{true, true, 0, 40000, 20000, 13000}, KVM_PROBE_USABLE},
	{{true, true, 0, 40000, 100000, 13000}, KVM_PROBE_USABLE},
	{{true, true, 0, 40000, 0, 0}, KVM_PROBE_USABLE},
	{{true, true, 0, 40000, 8000000, 400000}, KVM_PROBE_USABLE},
	{{true, true, 0, 40000, 13000000, 13000}, KVM_PROBE_EMULATED},
	{{true, true, 0, 40000, 4100000, 13000}, KVM_PROBE_EMULATED},
	{{true, true, 3, 40000, 20000, 13000}, KVM_PROBE_WRONG_RING},
	{{false, true, 0, 40000, 20000, 13000}, KVM_PROBE_WRONG_RING},
	{{true, false, 0, 0, 0, 0}, KVM_PROBE_INCOMPLETE},
	{{true, true, 0, 0, 0, 0}, KVM_PROBE_INCOMPLETE},
};

Test(kvm_probe, judge)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_probe probe = {0};

		kvm_probe_judge(&cases[i].facts, &probe);
		cr_assert_eq(probe.code, cases[i].code, "case %zu: %s", i, probe.reason);
		cr_assert_eq(kvm_probe_is_usable(&probe), probe.code == KVM_PROBE_USABLE);
		cr_assert(probe.reason[0] && !strchr(probe.reason, '\n'));
	}
}

Test(kvm_probe, names)
{
	cr_assert_str_eq(kvm_probe_code_name(KVM_PROBE_USABLE), "usable");
	cr_assert_str_eq(kvm_probe_code_name(KVM_PROBE_NO_PROGRESS), "no-progress");
}

/* Whatever this machine has, there is an answer, in time, and nothing stays behind. */
Test(kvm_probe, ends_on_any_machine)
{
	uint64_t begin = now_ns();
	struct kvm_probe probe;

	kvm_probe_run(&probe);
	cr_assert_lt(now_ns() - begin, 11000000000ull);
	cr_assert(probe.reason[0]);
	cr_assert_gt(probe.microseconds, 0);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a child was left");
}

Test(kvm_probe, guest_fits_its_page)
{
	cr_assert_eq(probe_guest_user - probe_guest_begin, 0);
	cr_assert(probe_guest_end - probe_guest_begin < 4096);
	/* syscall */
	cr_assert_eq(memcmp(probe_guest_user, "\x0f\x05", 2), 0);
}
