// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of Operation
 *
 * All threads follow one word, want. A thread looks at it before every KVM_RUN (the gate), and
 * parks where it says so. Whoever changes it then kicks each thread: immediate_exit makes a KVM_RUN
 * that is about to start return at once, the signal interrupts one that has started.
 *
 *	thread                             loop
 *	------                             ----
 *	immediate_exit = 0                 want = PAUSE
 *	look at want         (A)           immediate_exit = 1   (B)
 *	KVM_RUN                            pthread_kill()
 *
 * With sequentially consistent stores either A sees the new want, or B comes after the clearing and
 * KVM_RUN returns: no kick is lost.
 *
 * KVM finishes an access that user space has served only on the next KVM_RUN, so before it parks for
 * a pause a thread enters once more with immediate_exit set: registers are whole afterwards.
 *
 * The last thread to park writes settled_fd. The loop never waits for a thread, because a thread in
 * a device register may be waiting for the loop.
 */
#include "vmm/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "vmm/vm.h"
#include "vmm/x86_cpu.h"

#define KICK_SIGNAL SIGRTMIN

enum want { WANT_RUN, WANT_PAUSE, WANT_STOP };

struct vcpu {
	struct vcpus *set;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	atomic_uint_least64_t exits[VCPU_EXIT_KINDS]; /* written by its thread only */
};

struct vcpus {
	struct vm *vm;
	unsigned n, n_started;
	_Atomic enum want want;
	pthread_mutex_t lock; /* of changes of want, n_parked */
	pthread_cond_t changed;
	unsigned n_parked;
	int settled_fd;
	struct source *settled;
	void (*on_settled)(void *data);
	void *data;
	struct vcpu vcpus[VCPU_MAX];
};

static const char *const exit_names[] = {
	[VCPU_EXIT_PIO] = "pio",   [VCPU_EXIT_MMIO] = "mmio",   [VCPU_EXIT_HLT] = "hlt",
	[VCPU_EXIT_KICK] = "kick", [VCPU_EXIT_OTHER] = "other",
};
static_assert(ARRAY_SIZE(exit_names) == VCPU_EXIT_KINDS, "a name for each kind");

const char *vcpu_exit_name(enum vcpu_exit kind)
{
	return exit_names[kind];
}

uint64_t vcpus_exits(const struct vcpus *vcpus, unsigned index, enum vcpu_exit kind)
{
	return atomic_load_explicit(&vcpus->vcpus[index].exits[kind], memory_order_relaxed);
}

static void count(struct vcpu *vcpu, enum vcpu_exit kind)
{
	uint64_t n = atomic_load_explicit(&vcpu->exits[kind], memory_order_relaxed);

	/* One writer: a plain store is enough, no locked instruction per exit. */
	atomic_store_explicit(&vcpu->exits[kind], n + 1, memory_order_relaxed);
}

/* --- exits --------------------------------------------------------------------------------- */

static void handle_pio(struct vcpu *vcpu)
{
	const struct bus *bus = &vcpu->set->vm->pio;
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	count(vcpu, VCPU_EXIT_PIO);
	/* KVM bounds a string instruction's count to what fits into its page. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(bus, run->io.port, data, run->io.size);
		else
			bus_read(bus, run->io.port, data, run->io.size);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	const struct bus *bus = &vcpu->set->vm->mmio;
	struct kvm_run *run = vcpu->run;

	count(vcpu, VCPU_EXIT_MMIO);
	if (run->mmio.is_write)
		bus_write(bus, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(bus, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void handle_system_event(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->set->vm;
	uint32_t type = vcpu->run->system_event.type;

	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
	case KVM_SYSTEM_EVENT_RESET:
		vm_end(vm, VM_END_GUEST, "the guest powered off");
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		vm_end(vm, VM_END_CRASH, "the guest's kernel reported a crash");
		break;
	default:
		vm_end(vm, VM_END_FAILED, "unknown system event %u on vCPU %u", type, vcpu->index);
	}
}

static void handle_internal_error(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	unsigned long long data[2] = {0, 0};

	for (unsigned i = 0; i < run->internal.ndata && i < ARRAY_SIZE(data); i++)
		data[i] = run->internal.data[i];
	vm_end(vcpu->set->vm, VM_END_FAILED, "KVM internal error %u on vCPU %u, data %#llx %#llx%s",
	       run->internal.suberror, vcpu->index, data[0], data[1],
	       run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
		       ? ": an instruction that KVM cannot emulate"
		       : "");
}

static void handle_exit(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->set->vm;
	const struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_pio(vcpu);
		return;
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		return;
	case KVM_EXIT_HLT:
		/* Only where the interrupt controller is not KVM's; ours is. */
		count(vcpu, VCPU_EXIT_HLT);
		return;
	case KVM_EXIT_INTR:
		count(vcpu, VCPU_EXIT_KICK);
		return;
	}
	count(vcpu, VCPU_EXIT_OTHER);
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		vm_end(vm, VM_END_CRASH, "triple fault on vCPU %u", vcpu->index);
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		handle_internal_error(vcpu);
		return;
	case KVM_EXIT_FAIL_ENTRY:
		vm_end(vm, VM_END_FAILED, "vCPU %u cannot enter the guest, hardware reason %#llx",
		       vcpu->index,
		       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		return;
	default:
		vm_end(vm, VM_END_FAILED, "unknown exit %u on vCPU %u", run->exit_reason,
		       vcpu->index);
	}
}

/* --- the threads --------------------------------------------------------------------------- */

static void set_immediate_exit(struct vcpu *vcpu, uint8_t value)
{
	__atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* Runs the guest until its next exit, and serves that. */
static void run_once(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		handle_exit(vcpu);
	else if (errno == EINTR || errno == EAGAIN)
		count(vcpu, VCPU_EXIT_KICK);
	else
		vm_end(vcpu->set->vm, VM_END_FAILED, "KVM_RUN on vCPU %u: %s", vcpu->index,
		       strerrordesc_np(errno));
}

static void complete_access(struct vcpu *vcpu)
{
	set_immediate_exit(vcpu, 1);
	/* An access that KVM had to split exits once per part. */
	while (!vm_ended(vcpu->set->vm) && ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		handle_exit(vcpu);
}

static void tell_settled(struct vcpus *set)
{
	const uint64_t one = 1;

	if (write(set->settled_fd, &one, sizeof(one)) < 0)
		return; /* full: the loop has not read the last one and will see this */
}

/* Parks until the guest is to run (true) or never will again (false). */
static bool park(struct vcpu *vcpu)
{
	struct vcpus *set = vcpu->set;
	enum want want;

	if (atomic_load(&set->want) == WANT_PAUSE)
		complete_access(vcpu);
	pthread_mutex_lock(&set->lock);
	for (;;) {
		want = atomic_load(&set->want);
		if (want == WANT_RUN && !vm_ended(set->vm))
			break;
		if (++set->n_parked == set->n_started)
			tell_settled(set);
		if (want == WANT_STOP)
			break;
		pthread_cond_wait(&set->changed, &set->lock);
		set->n_parked--;
	}
	pthread_mutex_unlock(&set->lock);
	return want == WANT_RUN;
}

static void *vcpu_main(void *data)
{
	struct vcpu *vcpu = data;
	char name[16];
	sigset_t kick;

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	for (;;) {
		set_immediate_exit(vcpu, 0);
		if ((atomic_load(&vcpu->set->want) != WANT_RUN || vm_ended(vcpu->set->vm)) &&
		    !park(vcpu))
			return NULL;
		run_once(vcpu);
	}
}

static void on_kick(int signo)
{
	/* Its arrival is all: it makes KVM_RUN return. */
}

int vcpus_start(struct vcpus *vcpus, struct err *err)
{
	struct sigaction action = {.sa_handler = on_kick};
	int r = 0;

	sigaction(KICK_SIGNAL, &action, NULL);
	/* n_started must be final before a thread may compare with it. */
	pthread_mutex_lock(&vcpus->lock);
	for (unsigned i = 0; i < vcpus->n && !r; i++) {
		r = pthread_create(&vcpus->vcpus[i].thread, NULL, vcpu_main, &vcpus->vcpus[i]);
		if (!r)
			vcpus->n_started++;
	}
	pthread_mutex_unlock(&vcpus->lock);
	return r ? err_set_errno(err, r, "vcpu: cannot start a thread") : 0;
}

static void want(struct vcpus *vcpus, enum want want)
{
	pthread_mutex_lock(&vcpus->lock);
	if (atomic_load(&vcpus->want) != WANT_STOP)
		atomic_store(&vcpus->want, want);
	pthread_cond_broadcast(&vcpus->changed);
	pthread_mutex_unlock(&vcpus->lock);
	for (unsigned i = 0; i < vcpus->n_started; i++) {
		set_immediate_exit(&vcpus->vcpus[i], 1);
		pthread_kill(vcpus->vcpus[i].thread, KICK_SIGNAL);
	}
	if (!vcpus->n_started)
		tell_settled(vcpus);
}

void vcpus_pause(struct vcpus *vcpus)
{
	want(vcpus, WANT_PAUSE);
}

void vcpus_resume(struct vcpus *vcpus)
{
	want(vcpus, WANT_RUN);
}

void vcpus_stop(struct vcpus *vcpus)
{
	want(vcpus, WANT_STOP);
}

/* --- life ---------------------------------------------------------------------------------- */

static void on_settled_fd(struct source *source, uint32_t events, void *data)
{
	struct vcpus *vcpus = data;
	bool settled;
	uint64_t n;

	if (read(vcpus->settled_fd, &n, sizeof(n)) < 0)
		return;
	/* It may be stale: all parked for a moment, then a resume came. */
	pthread_mutex_lock(&vcpus->lock);
	settled = vcpus->n_parked == vcpus->n_started && atomic_load(&vcpus->want) != WANT_RUN;
	pthread_mutex_unlock(&vcpus->lock);
	if (settled)
		vcpus->on_settled(vcpus->data);
}

static int create_one(struct vcpus *set, struct vcpu *vcpu, size_t run_size, struct err *err)
{
	vcpu->set = set;
	vcpu->fd = ioctl(set->vm->vm_fd, KVM_CREATE_VCPU, vcpu->index);
	if (vcpu->fd < 0)
		return err_set_errno(err, errno, "kvm: KVM_CREATE_VCPU %u", vcpu->index);
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return err_set_errno(err, errno, "kvm: cannot map a vCPU");
	}
	vcpu->run_size = run_size;
	return 0;
}

static int create_all(struct vcpus *set, uint64_t entry, struct err *err)
{
	_cleanup_free_ struct kvm_cpuid2 *cpuid = NULL;
	int run_size, r;

	run_size = ioctl(set->vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < (int)sizeof(struct kvm_run))
		return err_set(err, EOPNOTSUPP, "kvm: KVM_GET_VCPU_MMAP_SIZE");
	r = x86_cpuid_supported(set->vm->kvm_fd, &cpuid, err);
	for (unsigned i = 0; i < set->n && r >= 0; i++) {
		r = create_one(set, &set->vcpus[i], run_size, err);
		if (r < 0)
			break;
		x86_cpuid_adapt(cpuid, i, set->n);
		r = x86_cpu_init(set->vcpus[i].fd, cpuid, err);
	}
	return r < 0 ? r : x86_cpu_set_entry(set->vcpus[0].fd, entry, err);
}

int vcpus_create(struct vm *vm, unsigned n, uint64_t entry, struct loop *loop,
		 void (*on_settled)(void *data), void *data, struct vcpus **ret, struct err *err)
{
	_cleanup_(vcpus_destroy_p) struct vcpus *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return err_set(err, ENOMEM, "vcpu: out of memory");
	set->vm = vm;
	set->n = n;
	set->on_settled = on_settled;
	set->data = data;
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->changed, NULL);
	for (unsigned i = 0; i < VCPU_MAX; i++)
		set->vcpus[i] = (struct vcpu){.index = i, .fd = -1};
	set->settled_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (set->settled_fd < 0)
		return err_set_errno(err, errno, "vcpu: eventfd");
	r = loop_add_io(loop, set->settled_fd, EPOLLIN, on_settled_fd, set, &set->settled);
	if (r < 0)
		return err_set_errno(err, -r, "vcpu: loop");
	r = create_all(set, entry, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(set);
	return 0;
}

void vcpus_destroy(struct vcpus *vcpus)
{
	if (!vcpus)
		return;
	for (unsigned i = 0; i < vcpus->n_started; i++)
		pthread_join(vcpus->vcpus[i].thread, NULL);
	for (unsigned i = 0; i < VCPU_MAX; i++) {
		struct vcpu *vcpu = &vcpus->vcpus[i];

		if (vcpu->run)
			munmap(vcpu->run, vcpu->run_size);
		close_fd(&vcpu->fd);
	}
	source_remove(vcpus->settled);
	close_fd(&vcpus->settled_fd);
	pthread_cond_destroy(&vcpus->changed);
	pthread_mutex_destroy(&vcpus->lock);
	free(vcpus);
}
