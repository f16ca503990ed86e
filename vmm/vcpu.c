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
#include "vmm/vcpu_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common/loop.h"
#include "vmm/vm.h"
#include "vmm/x86_cpu.h"

#define KICK_SIGNAL SIGRTMIN

/* --- the threads --------------------------------------------------------------------------- */

static void set_immediate_exit(struct vcpu *vcpu, uint8_t value)
{
	__atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* Runs the guest until its next exit, and serves that. */
static void run_once(struct vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		vcpu_handle_exit(vcpu);
	else if (errno == EINTR || errno == EAGAIN)
		vcpu_count_exit(vcpu, VCPU_EXIT_KICK);
	else
		vm_end(vcpu->set->vm, VM_END_FAILED, "KVM_RUN on vCPU %u: %s", vcpu->index,
		       strerrordesc_np(errno));
}

static void complete_access(struct vcpu *vcpu)
{
	set_immediate_exit(vcpu, 1);
	/* An access that KVM had to split exits once per part. */
	while (!vm_ended(vcpu->set->vm) && ioctl(vcpu->fd, KVM_RUN, 0) == 0)
		vcpu_handle_exit(vcpu);
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

static void mask_kick(int how)
{
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, KICK_SIGNAL);
	pthread_sigmask(how, &kick, NULL);
}

static void *vcpu_main(void *data)
{
	struct vcpu *vcpu = data;

	mask_kick(SIG_UNBLOCK);
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
	/* Who kicks the process instead of a vCPU must not meet the loop, whose list ends no handler. */
	mask_kick(SIG_BLOCK);
	/* n_started must be final before a thread may compare with it. */
	pthread_mutex_lock(&vcpus->lock);
	for (unsigned i = 0; i < vcpus->n && !r; i++) {
		char name[16];

		snprintf(name, sizeof(name), "vcpu%u", i);
		r = thread_start(&vcpus->vcpus[i].thread, name, SECCOMP_VCPU, vcpu_main,
				 &vcpus->vcpus[i]);
		if (!r)
			vcpus->n_started++;
	}
	pthread_mutex_unlock(&vcpus->lock);
	return r < 0 ? err_set_errno(err, -r, "vcpu: cannot start a thread") : 0;
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
		pthread_kill(vcpus->vcpus[i].thread.id, KICK_SIGNAL);
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
		pthread_join(vcpus->vcpus[i].thread.id, NULL);
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
