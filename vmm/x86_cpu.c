// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of Operation
 *
 * KVM_GET_SUPPORTED_CPUID says what the host can virtualise, not what a guest should see. The
 * changes here have three reasons:
 *
 * - Truth: the hypervisor bit (without it a guest looks for a PIT to calibrate against instead of
 *   asking kvm-clock), the TSC deadline timer, each vCPU's own APIC id, the invented topology.
 * - Less to attack: no nested virtualisation, no SGX, no MONITOR/MWAIT, no performance counters.
 *   What CPUID hides KVM refuses to the guest.
 * - Speed: an always-running, deadline-driven APIC timer spares the guest the PIT altogether.
 */
#include "vmm/x86_cpu.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/cleanup.h"
#include "vmm/x86_tables.h"

#define BIT(n) (1u << (n))

/* CPUID.1 */
#define C1_ECX_MONITOR      BIT(3)
#define C1_ECX_VMX          BIT(5)
#define C1_ECX_PDCM         BIT(15)
#define C1_ECX_X2APIC       BIT(21)
#define C1_ECX_TSC_DEADLINE BIT(24)
#define C1_ECX_HYPERVISOR   BIT(31)
#define C1_EDX_HTT          BIT(28) /* "more than one logical processor", whatever its name */
/* CPUID.7.0 */
#define C7_EBX_SGX    BIT(2)
#define C7_ECX_SGX_LC BIT(30)
/* CPUID.6 */
#define C6_EAX_ARAT BIT(2)
/* CPUID.80000001 */
#define X1_ECX_SVM          BIT(2)
#define X1_ECX_PERFCTR_CORE BIT(23)

#define LEAF_TOPOLOGY     0xb
#define LEAF_TOPOLOGY_V2  0x1f
#define LEAF_AMD_TOPOLOGY 0x80000026

enum { LEVEL_SMT = 1, LEVEL_CORE = 2 };

/* Bits that hold ids 0 .. n - 1. */
static unsigned id_bits(unsigned n)
{
	return n > 1 ? 32 - __builtin_clz(n - 1) : 0;
}

static void set_bits(uint32_t *reg, unsigned low, unsigned width, uint32_t value)
{
	uint32_t mask = (width < 32 ? BIT(width) - 1 : ~0u) << low;

	*reg = (*reg & ~mask) | (value << low & mask);
}

static void drop_leaf(struct kvm_cpuid2 *cpuid, uint32_t leaf)
{
	unsigned to = 0;

	for (unsigned i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function != leaf)
			cpuid->entries[to++] = cpuid->entries[i];
	cpuid->nent = to;
}

static void add_subleaf(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 entry)
{
	if (cpuid->nent < X86_CPUID_MAX)
		cpuid->entries[cpuid->nent++] = entry;
}

/* Leaf 0xb: level 0 one thread per core, level 1 all cores in the package. */
static void set_topology(struct kvm_cpuid2 *cpuid, unsigned cpu, unsigned n_cpus)
{
	const uint32_t flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

	drop_leaf(cpuid, LEAF_TOPOLOGY);
	/* Their absence sends the guest to 0xb. */
	drop_leaf(cpuid, LEAF_TOPOLOGY_V2);
	drop_leaf(cpuid, LEAF_AMD_TOPOLOGY);
	add_subleaf(cpuid, (struct kvm_cpuid_entry2){.function = LEAF_TOPOLOGY,
						     .index = 0,
						     .flags = flags,
						     .eax = 0,
						     .ebx = 1,
						     .ecx = LEVEL_SMT << 8 | 0,
						     .edx = cpu});
	add_subleaf(cpuid, (struct kvm_cpuid_entry2){.function = LEAF_TOPOLOGY,
						     .index = 1,
						     .flags = flags,
						     .eax = id_bits(n_cpus),
						     .ebx = n_cpus,
						     .ecx = LEVEL_CORE << 8 | 1,
						     .edx = cpu});
	add_subleaf(cpuid, (struct kvm_cpuid_entry2){.function = LEAF_TOPOLOGY,
						     .index = 2,
						     .flags = flags,
						     .ecx = 2,
						     .edx = cpu});
}

/* Leaf 4 (Intel) and 0x8000001d (AMD): the last level is shared by all, the others private. */
static void adapt_cache(struct kvm_cpuid_entry2 *e, unsigned n_cpus)
{
	unsigned type = e->eax & 0x1f, level = e->eax >> 5 & 0x7;
	uint32_t all = BIT(id_bits(n_cpus)) - 1;

	if (!type)
		return;
	set_bits(&e->eax, 14, 12, level >= 3 ? all : 0);
	if (e->function == 4)
		set_bits(&e->eax, 26, 6, all);
}

static void adapt_entry(struct kvm_cpuid_entry2 *e, unsigned cpu, unsigned n_cpus)
{
	switch (e->function) {
	case 0:
		if (e->eax < LEAF_TOPOLOGY)
			e->eax = LEAF_TOPOLOGY;
		break;
	case 1:
		e->ecx &= ~(C1_ECX_MONITOR | C1_ECX_VMX | C1_ECX_PDCM);
		e->ecx |= C1_ECX_HYPERVISOR | C1_ECX_X2APIC | C1_ECX_TSC_DEADLINE;
		set_bits(&e->ebx, 16, 8, n_cpus);
		set_bits(&e->ebx, 24, 8, cpu);
		e->edx = n_cpus > 1 ? e->edx | C1_EDX_HTT : e->edx & ~C1_EDX_HTT;
		break;
	case 4:
	case 0x8000001d:
		adapt_cache(e, n_cpus);
		break;
	case 6:
		e->eax = C6_EAX_ARAT;
		e->ebx = e->ecx = e->edx = 0;
		break;
	case 7:
		if (e->index == 0) {
			e->ebx &= ~C7_EBX_SGX;
			e->ecx &= ~C7_ECX_SGX_LC;
		}
		break;
	case 5:          /* MONITOR */
	case 0xa:        /* performance monitoring */
	case 0x12:       /* SGX */
	case 0x8000000a: /* SVM */
	case 0x80000022: /* performance monitoring, version 2 */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0x80000001:
		e->ecx &= ~(X1_ECX_SVM | X1_ECX_PERFCTR_CORE);
		break;
	case 0x80000008:
		set_bits(&e->ecx, 0, 8, n_cpus - 1);
		set_bits(&e->ecx, 12, 4, id_bits(n_cpus));
		break;
	case 0x8000001e:
		e->eax = cpu; /* extended APIC id */
		e->ebx = cpu; /* core id, one thread per core */
		e->ecx = 0;   /* one node */
		break;
	}
}

void x86_cpuid_adapt(struct kvm_cpuid2 *cpuid, unsigned cpu, unsigned n_cpus)
{
	for (unsigned i = 0; i < cpuid->nent; i++)
		adapt_entry(&cpuid->entries[i], cpu, n_cpus);
	set_topology(cpuid, cpu, n_cpus);
}

int x86_cpuid_supported(int kvm_fd, struct kvm_cpuid2 **ret, struct err *err)
{
	struct kvm_cpuid2 *cpuid;
	int r;

	/* Ours, because in-kernel APICs give it; KVM's list leaves it out for the sake of others. */
	if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		return err_set(err, EOPNOTSUPP, "kvm: no TSC deadline timer");
	cpuid = calloc(1, sizeof(*cpuid) + X86_CPUID_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return err_set(err, ENOMEM, "kvm: no memory for CPUID");
	cpuid->nent = X86_CPUID_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		r = err_set_errno(err, errno, "kvm: KVM_GET_SUPPORTED_CPUID");
		free(cpuid);
		return r;
	}
	*ret = cpuid;
	return 0;
}

/* --- registers ----------------------------------------------------------------------------- */

#define MSR_IA32_MISC_ENABLE    0x1a0
#define MISC_ENABLE_FAST_STRING 1
#define MSR_MTRR_DEF_TYPE       0x2ff
#define MTRR_ENABLE_WRITE_BACK  0x806

#define CR0_PE   BIT(0)
#define CR0_ET   BIT(4)
#define CR0_PG   BIT(31)
#define CR4_PAE  BIT(5)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)

static int set_msrs(int vcpu_fd, struct err *err)
{
	static const struct kvm_msr_entry entries[] = {
		{.index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WRITE_BACK},
	};
	_Alignas(struct kvm_msrs) uint8_t room[sizeof(struct kvm_msrs) + sizeof(entries)] = {0};
	struct kvm_msrs *msrs = (struct kvm_msrs *)room;
	int n;

	msrs->nmsrs = ARRAY_SIZE(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	n = ioctl(vcpu_fd, KVM_SET_MSRS, msrs);
	if (n < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_MSRS");
	if (n < (int)ARRAY_SIZE(entries))
		return err_set(err, EOPNOTSUPP, "kvm: MSR %#x is refused", entries[n].index);
	return 0;
}

int x86_cpu_init(int vcpu_fd, const struct kvm_cpuid2 *cpuid, struct err *err)
{
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_CPUID2");
	return set_msrs(vcpu_fd, err);
}

int x86_cpu_set_entry(int vcpu_fd, uint64_t entry, struct err *err)
{
	const struct kvm_segment code = {.selector = X86_CS,
					 .limit = 0xffffffff,
					 .type = 0xb,
					 .present = 1,
					 .s = 1,
					 .l = 1,
					 .g = 1};
	const struct kvm_segment data = {.selector = X86_DS,
					 .limit = 0xffffffff,
					 .type = 0x3,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1};
	/* Interrupts off, boot_params in RSI; the kernel brings its own stack. */
	struct kvm_regs regs = {.rflags = 2, .rip = entry, .rsi = X86_BOOT_PARAMS_GPA};
	struct kvm_sregs sregs;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
		return err_set_errno(err, errno, "kvm: KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt.base = X86_GDT_GPA;
	sregs.gdt.limit = X86_GDT_ENTRIES * sizeof(uint64_t) - 1;
	sregs.idt.base = 0;
	sregs.idt.limit = 0;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs.cr3 = X86_PAGE_TABLES_GPA;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_SREGS");
	if (ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_REGS");
	return 0;
}
