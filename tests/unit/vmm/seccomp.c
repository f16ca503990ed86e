/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of system calls: what is not named kills, what is named with a condition kills without it. */
#include "vmm/seccomp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#ifdef SBX_SANITIZED
#include <sanitizer/lsan_interface.h>
#endif
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

/* x86-64's numbers have a gap where other architectures were levelled with each other. */
#define GAP_BEGIN 337
#define GAP_END   424
#define PAST_LAST 480
#define X32       0x40000000
/* Newer kernels let their own probes' trampolines through unasked; from elsewhere they do nothing. */
#define URETPROBE 335
#define UPROBE    336

/* What becomes of a process under list that makes this call: the signal that ended it, 0 for none. */
static int signal_of(enum seccomp_list list, long nr, const uint64_t args[6])
{
	pid_t pid = fork();
	int status;

	cr_assert(pid >= 0);
	if (pid == 0) {
		alarm(10); /* for a call that waits, which would mean that it was let in */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(1);
		seccomp_arm();
		if (seccomp_enter(list) < 0)
			_exit(1);
		syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		syscall(seccomp_list_has(list, SYS_exit) ? SYS_exit : SYS_exit_group, 0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void check_unlisted(enum seccomp_list list)
{
	static const uint64_t none[6];

	for (long nr = 0; nr < PAST_LAST; nr = nr == GAP_BEGIN ? GAP_END : nr + 1)
		if (!seccomp_list_has(list, nr) && nr != URETPROBE && nr != UPROBE)
			cr_expect_eq(signal_of(list, nr, none), SIGSYS, "%s: system call %ld",
				     seccomp_list_name(list), nr);
	/* Another architecture's numbers for the same calls. */
	cr_expect_eq(signal_of(list, X32 | SYS_write, none), SIGSYS);
}

Test(seccomp, every_other_call_kills_main)
{
	check_unlisted(SECCOMP_MAIN);
}

Test(seccomp, every_other_call_kills_a_vcpu)
{
	check_unlisted(SECCOMP_VCPU);
}

Test(seccomp, every_other_call_kills_a_worker)
{
	check_unlisted(SECCOMP_WORKER);
}

Test(seccomp, every_other_call_kills_share)
{
	check_unlisted(SECCOMP_SHARE);
	check_unlisted(SECCOMP_DEVICES);
}

#ifdef SBX_SANITIZED

/*
 * The leak checker's tracer is a process that shares our memory: one that a list ends leaves us to
 * wait for it for ever, at the end of each monitor.
 */
static void check_leak_checker(enum seccomp_list list)
{
	pid_t pid = fork();
	int status;

	cr_assert(pid >= 0);
	if (pid == 0) {
		alarm(20);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(2);
		seccomp_arm();
		if (seccomp_enter(list) < 0)
			_exit(2);
		/* What criterion itself has forgotten is no matter here. */
		__lsan_do_recoverable_leak_check();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "%s: %#x", seccomp_list_name(list), (unsigned)status);
}

Test(seccomp, a_sanitizer_looks_for_leaks)
{
	for (unsigned i = 0; i < SECCOMP_LISTS; i++)
		check_leak_checker(i);
}

#else

/* 32-bit numbers on a 64-bit kernel: the same instruction that a 1990s program used. */
static void check_int80(enum seccomp_list list)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		seccomp_arm();
		if (seccomp_enter(list) < 0)
			_exit(1);
		__asm__ volatile("int $0x80" : : "a"(20) : "memory"); /* getpid */
		syscall(SYS_exit, 0);
	}
	waitpid(pid, &status, 0);
	cr_expect(WIFSIGNALED(status), "%s", seccomp_list_name(list));
}

Test(seccomp, no_other_architecture)
{
	for (unsigned i = 0; i < SECCOMP_LISTS; i++)
		check_int80(i);
}

Test(seccomp, arguments_are_judged)
{
	static const struct {
		long nr;
		uint64_t args[6];
		unsigned lists; /* that name the call and must refuse these arguments */
	} table[] = {
#define MAIN (1u << SECCOMP_MAIN | 1u << SECCOMP_DEVICES)
#define VCPU (1u << SECCOMP_VCPU)
#define HEAP (MAIN | 1u << SECCOMP_SHARE)
		{SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}, HEAP},
		{SYS_mmap, {0, 4096, PROT_EXEC, MAP_SHARED, 0}, HEAP},
		{SYS_mprotect, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC}, MAIN},
		{SYS_socket, {AF_INET, SOCK_STREAM, 0}, MAIN},
		{SYS_socket, {AF_INET6, SOCK_DGRAM, 0}, MAIN},
		{SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, MAIN},
		{SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, MAIN},
		{SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}, MAIN},
		{SYS_ioctl, {0, TIOCSTI}, MAIN | VCPU},
		{SYS_ioctl, {0, 0xae01 /* KVM_CREATE_VM */}, MAIN | VCPU},
		{SYS_ioctl, {0, 0x100000000ull | 0xae80 /* more than KVM_RUN */}, VCPU},
		{SYS_ioctl, {0, 0xae80 /* KVM_RUN */}, MAIN},
		{SYS_ioctl, {0, 0x400454ca /* TUNSETIFF */}, MAIN},
		{SYS_fcntl, {0, F_SETOWN, 1}, MAIN | 1u << SECCOMP_SHARE},
		{SYS_fcntl, {0, F_NOTIFY, 1}, MAIN | 1u << SECCOMP_SHARE},
		{SYS_newfstatat, {AT_FDCWD, 0, 0, 0}, MAIN | 1u << SECCOMP_WORKER},
		{SYS_ftruncate, {2, 0}, 1u << SECCOMP_SHARE},
		{SYS_fallocate, {2, 3, 0, 4096}, 1u << SECCOMP_WORKER},
		{SYS_copy_file_range, {3, 0, 1, 0, 4096}, 1u << SECCOMP_WORKER},
		{SYS_prlimit64, {1, 7, 0, 0}, MAIN},
		{SYS_prlimit64, {0, 7, 4096, 0}, MAIN},
		{SYS_setsockopt, {0, SOL_SOCKET, SO_ATTACH_FILTER}, MAIN},
		{SYS_getsockopt, {0, SOL_SOCKET, SO_PEERCRED}, MAIN},
		{SYS_madvise,
		 {0, 4096, 12 /* MADV_MERGEABLE */},
		 MAIN | VCPU | 1u << SECCOMP_WORKER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		for (unsigned list = 0; list < SECCOMP_LISTS; list++) {
			if (!(table[i].lists & 1u << list))
				continue;
			cr_expect(seccomp_list_has(list, table[i].nr));
			cr_expect_eq(signal_of(list, table[i].nr, table[i].args), SIGSYS,
				     "%s: row %zu", seccomp_list_name(list), i);
		}
}

#endif

Test(seccomp, what_is_listed_lives)
{
	const uint64_t anonymous[] = {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0};
	const uint64_t drop[6] = {0, 4096, MADV_DONTNEED};

	for (unsigned list = 0; list < SECCOMP_LISTS; list++)
		if (seccomp_list_has(list, SYS_mmap))
			cr_expect_eq(signal_of(list, SYS_mmap, anonymous), 0);
		else
			cr_expect_eq(signal_of(list, SYS_madvise, drop), 0);
}

#ifndef SBX_SANITIZED

/* A thread without a heap cannot be made to map anything. */
Test(seccomp, no_memory_for_vcpus_and_workers)
{
	static const long calls[] = {SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_brk};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		cr_expect(!seccomp_list_has(SECCOMP_VCPU, calls[i]));
		cr_expect(!seccomp_list_has(SECCOMP_WORKER, calls[i]));
	}
}

#endif

Test(seccomp, unarmed_lists_do_nothing)
{
	cr_assert_eq(seccomp_enter(SECCOMP_VCPU), 0);
	cr_assert(getppid() > 0);
}
