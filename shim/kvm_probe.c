/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: a child opens the device, checks what sbx-vmm needs of it, runs the guest of
 * probe_vcpu.c and judges what that did. Its verdict comes over a pipe; where none comes, that is
 * the verdict: the child was ended by a limit, on its CPU time or on ours of waiting.
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
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/loop.h"
#include "shim/probe_vcpu.h"

#define LIMIT_CPU_S   2
#define LIMIT_WALL_MS 10000

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

/*
 * An emulator is slow by itself, about 3 million instructions a second, and slow beside the same
 * loop outside the guest, by a factor of several hundred. KVM inside a machine that is itself
 * emulated may be the one under load, never both.
 */
bool kvm_probe_is_emulated(const struct kvm_probe_facts *facts)
{
	return facts->loop_instructions * 1000 < facts->loop_ns * EMULATED_MIPS &&
	       facts->native_ns * EMULATED_FACTOR < facts->loop_ns;
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
		if (kvm_probe_is_emulated(facts))
			verdict(ret, KVM_PROBE_EMULATED,
				"it emulates a guest's ring 0, at %u million instructions a second",
				ret->ring0_mips);
		else
			verdict(ret, KVM_PROBE_USABLE, "it runs guests");
	}
}

static int check_api(int kvm_fd, struct kvm_probe *probe)
{
	static const struct {
		int cap;
		const char *name;
	} needs[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
		{KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
		{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
		{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
		{KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR"},
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

static void probe_guest(int kvm_fd, struct kvm_probe *probe)
{
	struct kvm_probe_facts facts = {0};
	const char *failed = probe_vcpu_run(kvm_fd, &facts);

	if (failed)
		verdict(probe, KVM_PROBE_BROKEN, "%s: %s", failed, strerror(errno));
	else
		kvm_probe_judge(&facts, probe);
}

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

	kvm_fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
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
