/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether /dev/kvm of this machine can run a stock guest. A device that opens proves little: some
 * nested hosts create VMs and vCPUs and then run the guest's ring 0 in an instruction emulator that
 * is too slow and knows too few instructions for any kernel. So a guest of a few instructions is
 * run, and what it does is measured. Takes milliseconds, most of them
 * KVM's: see kvm_probe_cache.h.
 */
#ifndef SHIM_KVM_PROBE_H
#define SHIM_KVM_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KVM_DEVICE "/dev/kvm"

enum kvm_probe_code {
	KVM_PROBE_USABLE,
	KVM_PROBE_MISSING,     /* no such device */
	KVM_PROBE_FORBIDDEN,   /* this user may not open it */
	KVM_PROBE_BROKEN,      /* KVM answers with errors */
	KVM_PROBE_OLD,         /* an API or an extension that sbx-vmm needs is not there */
	KVM_PROBE_WRONG_RING,  /* system calls of the guest do not arrive in ring 0 */
	KVM_PROBE_INCOMPLETE,  /* an instruction that kernels use cannot be run */
	KVM_PROBE_EMULATED,    /* ring 0 runs, but far too slowly */
	KVM_PROBE_NO_PROGRESS, /* the probe's guest was ended by the time limit */
};

struct kvm_probe {
	enum kvm_probe_code code;
	char reason[200]; /* one line, without a full stop */
	uint32_t microseconds;
	uint32_t ring0_mips; /* millions of instructions a second; 0: not measured */
};

static inline bool kvm_probe_is_usable(const struct kvm_probe *probe)
{
	return probe->code == KVM_PROBE_USABLE;
}

/*
 * Probes in a child process, so that nothing of the caller's changes, and so that a guest that does
 * not come back is ended with it. The child may use two seconds of CPU time, a thousand times what
 * it needs; waiting for a busy machine does not count, but 10 seconds end it in any case.
 */
void kvm_probe_run(struct kvm_probe *ret);

/* "usable", "wrong-ring" …: for programs. */
const char *kvm_probe_code_name(enum kvm_probe_code code);

/* What a KVM does with the probe's guest; split off so that the judgement is tested anywhere. */
struct kvm_probe_facts {
	bool syscall_ran, instructions_ran;
	unsigned syscall_ring;
	uint64_t loop_instructions, loop_ns; /* 0: the loop did not run */
	uint64_t native_ns;                  /* of the same loop outside the guest */
};

bool kvm_probe_is_emulated(const struct kvm_probe_facts *facts);
/* Fills code, reason and ring0_mips. */
void kvm_probe_judge(const struct kvm_probe_facts *facts, struct kvm_probe *ret);

#endif
