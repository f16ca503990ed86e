/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KVM virtual machine: its descriptors, guest memory and interrupt lines. What the devices need
 * of it, nothing of what they are.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "vmm/bus.h"
#include "vmm/memory.h"

struct vm {
	int kvm_fd, vm_fd;
	struct memory mem;
	struct bus mmio, pio;
};

/* Opens /dev/kvm's VM (kvm_fd is taken over), the in-kernel irqchip and guest memory. */
int vm_create(int kvm_fd, uint64_t memory_size, struct vm **ret, struct err *err);
void vm_destroy(struct vm *vm);

/* A 4-byte guest write to gpa adds to eventfd fd instead of exiting. Where match, only of value. */
int vm_add_ioeventfd(struct vm *vm, uint64_t gpa, unsigned len, bool match, uint32_t value, int fd);
/* Writing to eventfd fd raises interrupt line gsi (edge). */
int vm_add_irqfd(struct vm *vm, unsigned gsi, int fd);

#endif
