/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual CPUs of a VM: one thread each, which runs the guest and carries its port and MMIO
 * accesses to the buses. Started, paused, resumed and stopped together, from the loop's thread.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"

struct loop;
struct vcpus;
struct vm;

#define VCPU_MAX 32

enum vcpu_exit {
	VCPU_EXIT_PIO,
	VCPU_EXIT_MMIO,
	VCPU_EXIT_HLT,
	VCPU_EXIT_KICK, /* a signal, ours as a rule */
	VCPU_EXIT_OTHER,
	VCPU_EXIT_KINDS,
};

/*
 * n vCPUs, the first about to enter the kernel at entry. on_settled is called in the loop each time
 * all of them have reached what vcpus_pause() or vcpus_stop() asked for.
 */
int vcpus_create(struct vm *vm, unsigned n, uint64_t entry, struct loop *loop,
		 void (*on_settled)(void *data), void *data, struct vcpus **ret, struct err *err);
/* The threads must never have been started, or have settled after a stop. */
void vcpus_destroy(struct vcpus *vcpus);
DEFINE_CLEANUP(struct vcpus, vcpus_destroy)

/* Starts the threads, which inherit the caller's signal mask but for the kick. */
int vcpus_start(struct vcpus *vcpus, struct err *err);

/*
 * These return at once: a vCPU may be waiting for the loop's thread. A paused vCPU has completed the
 * access that it exited for, so its registers are whole. A stop is for good.
 */
void vcpus_pause(struct vcpus *vcpus);
void vcpus_resume(struct vcpus *vcpus);
void vcpus_stop(struct vcpus *vcpus);

/* Exits of one kind of vCPU index since the start. */
uint64_t vcpus_exits(const struct vcpus *vcpus, unsigned index, enum vcpu_exit kind);
const char *vcpu_exit_name(enum vcpu_exit kind);

#endif
