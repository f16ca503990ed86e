/* SPDX-License-Identifier: Apache-2.0 */
/* What vcpu.c (threads) and vcpu_exit.c (exits) share. */
#ifndef VMM_VCPU_INTERNAL_H
#define VMM_VCPU_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "vmm/thread.h"
#include "vmm/vcpu.h"

struct source;

enum want { WANT_RUN, WANT_PAUSE, WANT_STOP };

struct vcpu {
	struct vcpus *set;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	struct thread thread;
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

/* On the vCPU's own thread only. */
void vcpu_count_exit(struct vcpu *vcpu, enum vcpu_exit kind);

/* Serves what KVM_RUN came back for; what cannot be served ends the VM. */
void vcpu_handle_exit(struct vcpu *vcpu);

#endif
