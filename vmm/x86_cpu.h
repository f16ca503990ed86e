/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vCPU is to its guest: CPUID, and the registers with which the first one enters the kernel.
 */
#ifndef VMM_X86_CPU_H
#define VMM_X86_CPU_H

#include <stdint.h>

#include "common/err.h"

struct kvm_cpuid2;

/* Room for what KVM reports (about 60 entries on today's CPUs) and what is added. */
#define X86_CPUID_MAX 256

/* What KVM can give; allocated, the caller frees. */
int x86_cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct err *err);

/*
 * Turns what KVM supports into what vCPU cpu of n_cpus reports: one socket of n_cpus cores without
 * threads, APIC id equal to the index. cpuid has room for X86_CPUID_MAX entries. Pure, and
 * idempotent: the result for one vCPU may be turned into another's.
 */
void x86_cpuid_adapt(struct kvm_cpuid2 *cpuid, unsigned cpu, unsigned n_cpus);

/* Gives vCPU vcpu_fd its CPUID and model-specific registers. */
int x86_cpu_init(int vcpu_fd, const struct kvm_cpuid2 *cpuid, struct err *err);

/*
 * Points the boot processor at a kernel's 64-bit entry with the tables of x86_tables.h; the others
 * wait for their start-up IPI.
 */
int x86_cpu_set_entry(int vcpu_fd, uint64_t entry, struct err *err);

#endif
