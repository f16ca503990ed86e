/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a VM of one vCPU and eight pages:
 *
 *	0x1000	page tables, one page a level; the last maps the first 2 MiB onto themselves, open
 *		to ring 3
 *	0x4000	the code of probe_guest.c
 *	0x5000	16 bytes of data
 *
 * The vCPU starts in long mode by KVM_SET_SREGS. The three parts of the code are run in the order in
 * which they condemn: the ring in which `syscall` lands, instructions, speed. The first that fails is
 * the last, as a broken KVM takes long for what it does badly.
 *
 * The speed is taken on the thread's own CPU clock, so that a busy machine does not look like an
 * emulating one, and the best of several runs counts, as the first one takes the page faults.
 */
#include "shim/probe_vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "common/cleanup.h"
#include "shim/kvm_probe.h"
#include "shim/probe_guest.h"

#ifdef __x86_64__

#define GUEST_TABLES 0x1000
#define GUEST_CODE   0x4000
#define GUEST_DATA   0x5000
#define GUEST_SIZE   0x8000

#define LOOP_COUNT 20000
#define LOOP_TRIES 3

/* The vCPU of the probe. All of it ends with the child process. */
struct vcpu {
	int fd;
	struct kvm_run *run;
	uint8_t *memory;
};

/* Symbols of one blob, but to the language objects of their own: no pointer arithmetic. */
static uint64_t guest_address(const uint8_t *part)
{
	return GUEST_CODE + ((uintptr_t)part - (uintptr_t)probe_guest_begin);
}

static void fill_memory(uint8_t *memory)
{
	const uint64_t present_write_user = 0x7, huge = 0x80;

	for (uint64_t at = GUEST_TABLES, level = 4; level >= 2; level--, at += 0x1000) {
		uint64_t entry = level == 2 ? huge : at + 0x1000;

		entry |= present_write_user;
		memcpy(memory + at, &entry, sizeof(entry));
	}
	memcpy(memory + GUEST_CODE, probe_guest_begin, guest_address(probe_guest_end) - GUEST_CODE);
}

/* The name of the step that failed, with errno; NULL where none did. */
static const char *create_vcpu(int kvm_fd, struct vcpu *vcpu)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_SIZE};
	int run_size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);

	if (vm_fd < 0)
		return "KVM_CREATE_VM";
	if (run_size < (int)sizeof(*vcpu->run))
		return "KVM_GET_VCPU_MMAP_SIZE";
	vcpu->memory =
		mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vcpu->memory == MAP_FAILED)
		return "mmap";
	fill_memory(vcpu->memory);
	region.userspace_addr = (uintptr_t)vcpu->memory;
	/* Old VMX hosts need the address before the first run; others do not mind. */
	if (ioctl(vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000ul) < 0)
		return "KVM_SET_TSS_ADDR";
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return "KVM_SET_USER_MEMORY_REGION";
	vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	if (vcpu->fd < 0)
		return "KVM_CREATE_VCPU";
	vcpu->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	return vcpu->run == MAP_FAILED ? "mmap of the vCPU" : NULL;
}

/* Long mode in the given ring, as the instruction at LSTAR would find it. */
static int set_mode(struct vcpu *vcpu, unsigned ring)
{
	enum { CR0_PE = 1, CR0_NE = 1 << 5, CR4_PAE = 1 << 5 };
	enum { EFER_SCE = 1, EFER_LME = 1 << 8, EFER_LMA = 1 << 10 };
	struct kvm_segment code = {.limit = UINT32_MAX, .type = 11, .present = 1, .s = 1, .l = 1};
	struct kvm_segment data = {.limit = UINT32_MAX, .type = 3, .present = 1, .s = 1, .db = 1};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -1;
	code.g = data.g = 1;
	code.dpl = data.dpl = ring;
	/* The selectors that the STAR of set_syscall() gives: 0x10 and 0x18, 0x33 and 0x2b. */
	code.selector = ring ? 0x33 : 0x10;
	data.selector = ring ? 0x2b : 0x18;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x80000000u | CR0_NE | CR0_PE;
	sregs.cr3 = GUEST_TABLES;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_SCE | EFER_LME | EFER_LMA;
	return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs);
}

static int set_syscall(struct vcpu *vcpu)
{
	enum { MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_FMASK = 0xc0000084 };
	const struct kvm_msr_entry entries[] = {
		{.index = MSR_STAR, .data = 0x23ull << 48 | 0x10ull << 32},
		{.index = MSR_LSTAR, .data = guest_address(probe_guest_syscall)},
		{.index = MSR_FMASK, .data = 0},
	};
	_Alignas(struct kvm_msrs) uint8_t buf[sizeof(struct kvm_msrs) + sizeof(entries)] = {0};
	struct kvm_msrs *msrs = (struct kvm_msrs *)buf;

	msrs->nmsrs = ARRAY_SIZE(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	return ioctl(vcpu->fd, KVM_SET_MSRS, msrs) == (int)ARRAY_SIZE(entries) ? 0 : -1;
}

/* Runs a part up to its `out`. Returns false where it does not get there. */
static bool run_part(struct vcpu *vcpu, const uint8_t *part, uint64_t count, uint32_t *ret_eax)
{
	const uint64_t iopl3_and_fixed = 0x3002;
	struct kvm_regs regs = {.rip = guest_address(part),
				.rflags = iopl3_and_fixed,
				.rsi = GUEST_DATA,
				.rcx = count};
	struct kvm_run *run = vcpu->run;

	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 || ioctl(vcpu->fd, KVM_RUN, 0) < 0)
		return false;
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != PROBE_GUEST_PORT ||
	    run->io.size != sizeof(*ret_eax))
		return false;
	memcpy(ret_eax, (uint8_t *)run + run->io.data_offset, sizeof(*ret_eax));
	/* The exit is complete only with the next entry, which is to run nothing. */
	run->immediate_exit = 1;
	if (ioctl(vcpu->fd, KVM_RUN, 0) == 0 || errno != EINTR)
		return false;
	run->immediate_exit = 0;
	return true;
}

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The guest's loop, here. */
static uint64_t time_native_loop(void)
{
	uint64_t count = LOOP_COUNT, begin = thread_ns();

	__asm__ volatile("1:	dec	%0\n"
			 "	jnz	1b"
			 : "+r"(count)
			 :
			 : "cc");
	return thread_ns() - begin;
}

static void time_loop(struct vcpu *vcpu, struct kvm_probe_facts *facts)
{
	uint32_t eax;

	for (int i = 0; i < LOOP_TRIES; i++) {
		uint64_t native_ns = time_native_loop(), begin = thread_ns(), ns;

		if (!run_part(vcpu, probe_guest_loop, LOOP_COUNT, &eax))
			return;
		ns = thread_ns() - begin;
		if (!facts->loop_instructions || ns < facts->loop_ns)
			facts->loop_ns = ns;
		if (!facts->loop_instructions || native_ns < facts->native_ns)
			facts->native_ns = native_ns;
		facts->loop_instructions = 2 * LOOP_COUNT;
		/* Clear enough: no need to take more of the caller's time. */
		if (!kvm_probe_is_emulated(facts))
			return;
	}
}

const char *probe_vcpu_run(int kvm_fd, struct kvm_probe_facts *facts)
{
	struct vcpu vcpu = {.fd = -1};
	const char *failed = create_vcpu(kvm_fd, &vcpu);
	uint32_t eax = 0;

	if (failed)
		return failed;
	if (set_mode(&vcpu, 3) < 0 || set_syscall(&vcpu) < 0)
		return "long mode";
	facts->syscall_ran = run_part(&vcpu, probe_guest_user, 0, &eax);
	facts->syscall_ring = eax & 3;
	if (!facts->syscall_ran || facts->syscall_ring != 0 || set_mode(&vcpu, 0) < 0)
		return NULL;
	facts->instructions_ran = run_part(&vcpu, probe_guest_instructions, 0, &eax);
	if (facts->instructions_ran)
		time_loop(&vcpu, facts);
	return NULL;
}

#else

const char *probe_vcpu_run(int kvm_fd, struct kvm_probe_facts *facts)
{
	errno = EOPNOTSUPP;
	return "x86-64";
}

#endif
