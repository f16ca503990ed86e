/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: the child opens the device, checks what sbx-vmm needs of it, and creates a
 * VM of one vCPU with eight pages:
 *
 *	0x1000	page tables, one page a level; the last maps the first 2 MiB onto themselves, open
 *		to ring 3
 *	0x4000	the code of probe_guest.c
 *	0x5000	16 bytes of data
 *
 * The vCPU starts in long mode by KVM_SET_SREGS. Its three parts are run in the order in which they
 * condemn: the ring in which `syscall` lands, instructions, speed. The child's verdict comes over a
 * pipe; where none comes, the way in which the child ended is the verdict.
 *
 * The speed is taken on the thread's own CPU clock, so that a busy machine does not look like an
 * emulating one, and the best of several runs counts, as the first one takes the page faults.
 */
#include "shim/kvm_probe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "shim/probe_guest.h"

#define LIMIT_CPU_S   2
#define LIMIT_WALL_MS 10000

#define GUEST_TABLES 0x1000
#define GUEST_CODE   0x4000
#define GUEST_DATA   0x5000
#define GUEST_SIZE   0x8000

#define LOOP_COUNT 20000
#define LOOP_TRIES 3

/*
 * An emulator is slow by itself, about 3 million instructions a second, and slow beside the same
 * loop outside the guest, by a factor of several hundred. KVM inside a machine that is itself
 * emulated may be the one under load, never both.
 */
#define EMULATED_MIPS   10
#define EMULATED_FACTOR 50

static const char *const code_names[] = {
	[KVM_PROBE_USABLE] = "usable",
	[KVM_PROBE_MISSING] = "missing",
	[KVM_PROBE_FORBIDDEN] = "forbidden",
	[KVM_PROBE_BROKEN] = "broken",
	[KVM_PROBE_OLD] = "old",
	[KVM_PROBE_WRONG_RING] = "wrong-ring",
	[KVM_PROBE_INCOMPLETE] = "incomplete",
	[KVM_PROBE_EMULATED] = "emulated",
	[KVM_PROBE_NO_PROGRESS] = "no-progress",
};
static_assert(ARRAY_SIZE(code_names) == KVM_PROBE_NO_PROGRESS + 1, "a name for every code");

const char *kvm_probe_code_name(enum kvm_probe_code code)
{
	return code_names[code];
}

static int verdict(struct kvm_probe *probe, enum kvm_probe_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Returns -1, so that a failing step reads "return verdict(...)". */
static int verdict(struct kvm_probe *probe, enum kvm_probe_code code, const char *fmt, ...)
{
	va_list ap;

	probe->code = code;
	va_start(ap, fmt);
	vsnprintf(probe->reason, sizeof(probe->reason), fmt, ap);
	va_end(ap);
	return -1;
}

void kvm_probe_judge(const struct kvm_probe_facts *facts, struct kvm_probe *ret)
{
	if (!facts->syscall_ran)
		verdict(ret, KVM_PROBE_WRONG_RING, "a guest's system call does not arrive");
	else if (facts->syscall_ring != 0)
		verdict(ret, KVM_PROBE_WRONG_RING,
			"a guest's system call arrives in ring %u instead of 0",
			facts->syscall_ring);
	else if (!facts->instructions_ran)
		verdict(ret, KVM_PROBE_INCOMPLETE,
			"it cannot run instructions that every kernel uses");
	else if (!facts->loop_instructions)
		verdict(ret, KVM_PROBE_INCOMPLETE, "it cannot run a loop in ring 0");
	else {
		uint64_t ns = facts->loop_ns ? facts->loop_ns : 1;

		ret->ring0_mips = (uint32_t)(facts->loop_instructions * 1000 / ns);
		if (ret->ring0_mips < EMULATED_MIPS && ns / EMULATED_FACTOR > facts->native_ns)
			verdict(ret, KVM_PROBE_EMULATED,
				"it emulates a guest's ring 0, at %u million instructions a second",
				ret->ring0_mips);
		else
			verdict(ret, KVM_PROBE_USABLE, "it runs guests");
	}
}

#ifdef __x86_64__

/* The vCPU of the probe. All of it ends with the child process. */
struct vcpu {
	int fd;
	struct kvm_run *run;
	uint8_t *memory;
};

static int check_api(int kvm_fd, struct kvm_probe *probe)
{
	static const struct {
		int cap;
		const char *name;
	} needs[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
		{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
		{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
		{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
		{KVM_CAP_NR_VCPUS, "KVM_CAP_NR_VCPUS"},
	};
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_GET_API_VERSION: %s", strerror(errno));
	if (version != KVM_API_VERSION)
		return verdict(probe, KVM_PROBE_OLD, "its API has version %d instead of %d",
			       version, KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needs[i].cap) <= 0)
			return verdict(probe, KVM_PROBE_OLD, "it lacks %s", needs[i].name);
	return 0;
}

static void fill_memory(uint8_t *memory)
{
	const uint64_t present_write_user = 0x7, huge = 0x80;

	for (uint64_t at = GUEST_TABLES, level = 4; level >= 2; level--, at += 0x1000) {
		uint64_t entry = level == 2 ? huge : at + 0x1000;

		entry |= present_write_user;
		memcpy(memory + at, &entry, sizeof(entry));
	}
	memcpy(memory + GUEST_CODE, probe_guest_begin,
	       (size_t)(probe_guest_end - probe_guest_begin));
}

static int create_vcpu(int kvm_fd, struct vcpu *vcpu, struct kvm_probe *probe)
{
	struct kvm_userspace_memory_region region = {.memory_size = GUEST_SIZE};
	int run_size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);

	if (vm_fd < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_CREATE_VM: %s", strerror(errno));
	vcpu->memory =
		mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vcpu->memory == MAP_FAILED)
		return verdict(probe, KVM_PROBE_BROKEN, "mmap: %s", strerror(errno));
	fill_memory(vcpu->memory);
	region.userspace_addr = (uintptr_t)vcpu->memory;
	/* Old VMX hosts need the address before the first run; others do not mind. */
	if (ioctl(vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000ul) < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_SET_TSS_ADDR: %s", strerror(errno));
	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_SET_USER_MEMORY_REGION: %s",
			       strerror(errno));
	vcpu->fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	if (vcpu->fd < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_CREATE_VCPU: %s", strerror(errno));
	if (run_size < (int)sizeof(*vcpu->run))
		return verdict(probe, KVM_PROBE_BROKEN, "KVM_GET_VCPU_MMAP_SIZE: %d", run_size);
	vcpu->run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return verdict(probe, KVM_PROBE_BROKEN, "mmap of the vCPU: %s", strerror(errno));
	return 0;
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
		return -errno;
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
	return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ? -errno : 0;
}

static uint64_t guest_address(const uint8_t *part)
{
	return GUEST_CODE + (uint64_t)(part - probe_guest_begin);
}

static int set_syscall(struct vcpu *vcpu)
{
	enum { MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082, MSR_FMASK = 0xc0000084 };
	const struct kvm_msr_entry entries[] = {
		{.index = MSR_STAR, .data = 0x23ull << 48 | 0x10ull << 32},
		{.index = MSR_LSTAR, .data = guest_address(probe_guest_syscall)},
		{.index = MSR_FMASK, .data = 0},
	};
	_cleanup_free_ struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(entries));

	if (!msrs)
		return -ENOMEM;
	msrs->nmsrs = ARRAY_SIZE(entries);
	memcpy(msrs->entries, entries, sizeof(entries));
	return ioctl(vcpu->fd, KVM_SET_MSRS, msrs) == (int)ARRAY_SIZE(entries) ? 0 : -EIO;
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

	facts->native_ns = UINT64_MAX;
	for (int i = 0; i < LOOP_TRIES; i++) {
		uint64_t native_ns = time_native_loop(), begin = thread_ns(), ns;

		if (!run_part(vcpu, probe_guest_loop, LOOP_COUNT, &eax))
			return;
		ns = thread_ns() - begin;
		if (!facts->loop_instructions || ns < facts->loop_ns)
			facts->loop_ns = ns;
		if (native_ns < facts->native_ns)
			facts->native_ns = native_ns;
		facts->loop_instructions = 2 * LOOP_COUNT;
		/* Clear enough: no need to take more of the caller's time. */
		if (ns / EMULATED_FACTOR < facts->native_ns)
			return;
	}
}

static int probe_guest(int kvm_fd, struct kvm_probe *probe)
{
	struct kvm_probe_facts facts = {0};
	struct vcpu vcpu = {.fd = -1};
	uint32_t eax = 0;
	int r;

	if (create_vcpu(kvm_fd, &vcpu, probe) < 0)
		return -1;
	r = set_mode(&vcpu, 3);
	if (r == 0)
		r = set_syscall(&vcpu);
	if (r < 0)
		return verdict(probe, KVM_PROBE_BROKEN, "long mode: %s", strerror(-r));
	facts.syscall_ran = run_part(&vcpu, probe_guest_user, 0, &eax);
	facts.syscall_ring = eax & 3;
	if (facts.syscall_ran && facts.syscall_ring == 0 && set_mode(&vcpu, 0) == 0) {
		facts.instructions_ran = run_part(&vcpu, probe_guest_instructions, 0, &eax);
		if (facts.instructions_ran)
			time_loop(&vcpu, &facts);
	}
	kvm_probe_judge(&facts, probe);
	return 0;
}

#else

static int check_api(int kvm_fd, struct kvm_probe *probe)
{
	return verdict(probe, KVM_PROBE_OLD, "sbx knows KVM on x86-64 only");
}

static int probe_guest(int kvm_fd, struct kvm_probe *probe)
{
	return 0;
}

#endif

/* The child's life. What it opens ends with it. */
static void probe_in_child(struct kvm_probe *probe)
{
	struct itimerval limit = {.it_value.tv_sec = LIMIT_CPU_S};
	sigset_t none;
	int kvm_fd;

	sigemptyset(&none);
	signal(SIGPROF, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setitimer(ITIMER_PROF, &limit, NULL);

	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		verdict(probe, KVM_PROBE_MISSING, "there is no /dev/kvm");
	else if (kvm_fd < 0 && (errno == EACCES || errno == EPERM))
		verdict(probe, KVM_PROBE_FORBIDDEN, "this user may not open /dev/kvm");
	else if (kvm_fd < 0)
		verdict(probe, KVM_PROBE_BROKEN, "/dev/kvm: %s", strerror(errno));
	else if (check_api(kvm_fd, probe) == 0)
		probe_guest(kvm_fd, probe);
}

/* The child's verdict, or what its silence means. */
static void await_child(int fd, pid_t pid, struct kvm_probe *ret)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct kvm_probe probe;
	int status = 0, r;

	do
		r = poll(&pfd, 1, LIMIT_WALL_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0 && read(fd, &probe, sizeof(probe)) == (ssize_t)sizeof(probe)) {
		*ret = probe;
	} else {
		verdict(ret, KVM_PROBE_NO_PROGRESS, "a guest of a few instructions does not end");
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

void kvm_probe_run(struct kvm_probe *ret)
{
	uint64_t begin = now_ns();
	int fds[2];
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	if (pipe2(fds, O_CLOEXEC) < 0) {
		verdict(ret, KVM_PROBE_BROKEN, "pipe: %s", strerror(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		struct kvm_probe probe = {.code = KVM_PROBE_BROKEN};

		close(fds[0]);
		probe_in_child(&probe);
		/* Less than PIPE_BUF: whole or not at all. */
		_exit(write(fds[1], &probe, sizeof(probe)) == (ssize_t)sizeof(probe) ? 0 : 1);
	}
	close(fds[1]);
	if (pid < 0)
		verdict(ret, KVM_PROBE_BROKEN, "fork: %s", strerror(errno));
	else
		await_child(fds[0], pid, ret);
	close(fds[0]);
	ret->microseconds = (uint32_t)((now_ns() - begin) / 1000);
}
