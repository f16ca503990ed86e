/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM virtual machine: its descriptors, guest memory and interrupt lines. What the devices need
 * of it, nothing of what they are.
 *
 * It also holds why the VM ended. Any thread may end it, the first to do so gives the reason, and
 * the loop hears of it through end_fd; vCPUs stop at their next exit.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/err.h"
#include "vmm/bus.h"
#include "vmm/irq.h"
#include "vmm/memory.h"

enum vm_end {
	VM_RUNNING,
	VM_END_GUEST,  /* the guest asked for a reset: our way to power off */
	VM_END_STOP,   /* the owner asked for it, or has gone */
	VM_END_CRASH,  /* the guest's kernel panicked or lost its way */
	VM_END_FAILED, /* KVM cannot run this guest any further */
};

#define VM_LINES 24 /* of interrupts */

struct ioapic_message;

/*
 * Interrupts are raised by KVM_SIGNAL_MSI on the thread that has something to say: one system call, as a
 * write to an irqfd would be. KVM's routing table, which irqfds need, waits for SRCU at each change (a guest
 * masks and unmasks its lines while it boots), and when a VM ends each irqfd waits for it, one after the
 * other, for some ticks of the host's timer: 15 ms of an end of 35.
 */
struct vm {
	int kvm_fd, vm_fd;
	struct memory mem;
	unsigned n_slots; /* of memory, that KVM knows */
	uint64_t granule; /* of the memory that may come later; 0: none may */
	struct bus mmio, pio;
	_Atomic uint64_t messages[VM_LINES]; /* address << 32 | data; 0: the line is masked */
	int end_fd;                          /* eventfd, readable once the VM has ended */
	_Atomic enum vm_end end;
	pthread_mutex_t end_lock; /* of end_text, until end is set */
	char end_text[160];
};

/*
 * Opens /dev/kvm's VM (kvm_fd is taken over), with local APICs in the kernel, and guest memory; where it may
 * have more than memory_size later, with a reserved region for that.
 */
int vm_create(int kvm_fd, uint64_t memory_size, uint64_t max_memory, struct vm **ret,
	      struct err *err);
void vm_destroy(struct vm *vm);
DEFINE_CLEANUP(struct vm, vm_destroy)

/*
 * The first size bytes of memory's reserved region are the guest's from now on. Each call that adds some
 * takes a slot of KVM's: what the guest runs on stays where it is meanwhile. 0 or -errno.
 */
int vm_open_memory(struct vm *vm, uint64_t size);

/* A 4-byte guest write to gpa adds to eventfd fd instead of exiting. Where match, only of value. */
int vm_add_ioeventfd(struct vm *vm, uint64_t gpa, unsigned len, bool match, uint32_t value, int fd);

/* An interrupt line (below VM_LINES). Raising it sends its message, if it has one; else the edge is lost. */
struct irq vm_irq(struct vm *vm, unsigned line);
/* Gives the line its message. From any thread, while others raise it. */
void vm_set_message(struct vm *vm, unsigned line, const struct ioapic_message *message);

/* Ends the VM; the text, one line, says why. Only the first call counts. From any thread. */
void vm_end(struct vm *vm, enum vm_end why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline bool vm_ended(struct vm *vm)
{
	return atomic_load_explicit(&vm->end, memory_order_acquire) != VM_RUNNING;
}

#endif
