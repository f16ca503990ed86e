/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: sbx-vmm and sbx-share as they are, but that each rule of their lists counts what it
 * lets through. In place of its list a thread gets a filter that traps every system call (SECCOMP_RET_TRAP).
 * The handler looks it up among the list's rules, counts, and makes the call itself, from the one address
 * that the filter lets through. What no rule allows ends the process, as the list would, and is noted.
 *
 *	SBX_RULES=FILE	where the counts go, a struct rule_counts; many programs may share it
 *
 * Two calls are about signals themselves: rt_sigprocmask is done to the interrupted context, and never
 * blocks SIGSYS, which would be the end. rt_sigreturn of another handler's is counted and then made again
 * on that handler's stack, from where ours makes its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/integration/rules.h"

#define X32        0x40000000u
#define KERNEL_SET 8 /* bytes of the kernel's sigset_t */

void __wrap_seccomp_arm(void);
int __wrap_seccomp_enter(enum seccomp_list list);

static struct rule_counts *counts;
static bool armed;
static __thread enum seccomp_list current;

/* As syscall(3), but errors are the kernel's. rules_called: where the kernel finds us while in it. */
long rules_call(long nr, ...);
/* Ends a handler; rules_returned likewise. */
void rules_return(void);
extern const char rules_called[], rules_returned[];
__asm__(".text\n.type rules_call, @function\nrules_call:\n"
	"mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\n"
	"mov %r8, %r10\nmov %r9, %r8\nmov 8(%rsp), %r9\nsyscall\n"
	".globl rules_called\nrules_called:\nret\n.size rules_call, .-rules_call\n"
	".type rules_return, @function\nrules_return:\nmov $15, %eax\nsyscall\n"
	".globl rules_returned\nrules_returned:\nud2\n.size rules_return, .-rules_return\n");

/* The kernel's own struct sigaction, of which the C library hides the restorer. */
struct kernel_sigaction {
	void (*handler)(int signo, siginfo_t *info, void *data);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};
#define SA_RESTORER 0x04000000

/* While files can still be found by name. */
static void __attribute__((constructor)) open_counts(void)
{
	const char *path = getenv("SBX_RULES");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = MAP_FAILED;

	if (fd >= 0)
		p = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	counts = p == MAP_FAILED ? NULL : p;
}

static bool allows(const struct seccomp_rule *rule, long nr, const uint64_t args[6])
{
	if (rule->nr != nr)
		return false;
	for (unsigned i = 0; i < rule->n; i++) {
		const struct seccomp_condition *c = &rule->conditions[i];

		if (c->greater ? args[c->arg] <= c->value : (args[c->arg] & c->mask) != c->value)
			return false;
	}
	return true;
}

static bool count(long nr, const uint64_t args[6])
{
	const struct rule_list *list = &rule_lists[current];
	bool allowed = false;

	for (unsigned i = 0; i < list->n; i++)
		if (allows(&list->rules[i], nr, args)) {
			__atomic_fetch_add(&counts->hits[current][i], 1, __ATOMIC_RELAXED);
			allowed = true;
		}
	if (!allowed)
		counts->unlisted[current] = 1 + (uint64_t)nr;
	return allowed;
}

static long set_mask(ucontext_t *context, const uint64_t args[6])
{
	const unsigned long *set = (const unsigned long *)args[1];
	unsigned long *old = (unsigned long *)args[2], *mask, was;

	mask = (unsigned long *)&context->uc_sigmask;
	was = *mask;
	if (set && args[0] == SIG_BLOCK)
		*mask |= *set;
	else if (set && args[0] == SIG_UNBLOCK)
		*mask &= ~*set;
	else if (set)
		*mask = *set;
	*mask &= ~(1ul << (SIGSYS - 1));
	if (old)
		*old = was;
	return args[3] == KERNEL_SET ? 0 : -EINVAL;
}

static void on_sigsys(int signo, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	greg_t *regs = context->uc_mcontext.gregs;
	const uint64_t a[] = {
		(uint64_t)regs[REG_RDI], (uint64_t)regs[REG_RSI], (uint64_t)regs[REG_RDX],
		(uint64_t)regs[REG_R10], (uint64_t)regs[REG_R8],  (uint64_t)regs[REG_R9],
	};
	long nr = info->si_syscall;

	if (!count(nr, a))
		rules_call(SYS_exit_group, 128 + SIGSYS);
	if (nr == SYS_rt_sigreturn)
		regs[REG_RIP] = (greg_t)(uintptr_t)rules_return;
	else if (nr == SYS_rt_sigprocmask)
		regs[REG_RAX] = set_mask(context, a);
	else
		regs[REG_RAX] = rules_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int trap_all(void)
{
	const uint64_t call = (uintptr_t)rules_called, back = (uintptr_t)rules_returned;
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 8),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 6, 0),
		/* Both places are in one object, and so in one half of the address space. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call >> 32), 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)back, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {.len = ARRAY_SIZE(filter),
					.filter = (struct sock_filter *)(uintptr_t)filter};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}

void __wrap_seccomp_arm(void)
{
	armed = true;
}

int __wrap_seccomp_enter(enum seccomp_list list)
{
	const struct kernel_sigaction action = {
		.handler = on_sigsys,
		.flags = SA_SIGINFO | SA_NODEFER | SA_RESTORER,
		.restorer = rules_return,
	};
	sigset_t sigsys;

	if (!armed)
		return 0;
	if (!counts)
		return -ENOENT;
	current = list;
	sigemptyset(&sigsys);
	sigaddset(&sigsys, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &sigsys, NULL);
	if (syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, KERNEL_SET) < 0)
		return -errno;
	return trap_all();
}
