// SPDX-License-Identifier: Apache-2.0
/* What a vCPU leaves the guest for, and what is done about it; on the vCPU's thread. */
#include <assert.h>

#include "vmm/vcpu_internal.h"
#include "vmm/vm.h"

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

void vcpu_count_exit(struct vcpu *vcpu, enum vcpu_exit kind)
{
	uint64_t n = atomic_load_explicit(&vcpu->exits[kind], memory_order_relaxed);

	/* One writer: a plain store is enough, no locked instruction per exit. */
	atomic_store_explicit(&vcpu->exits[kind], n + 1, memory_order_relaxed);
}

static void handle_pio(struct vcpu *vcpu)
{
	const struct bus *bus = &vcpu->set->vm->pio;
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	vcpu_count_exit(vcpu, VCPU_EXIT_PIO);
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

	vcpu_count_exit(vcpu, VCPU_EXIT_MMIO);
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

void vcpu_handle_exit(struct vcpu *vcpu)
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
		vcpu_count_exit(vcpu, VCPU_EXIT_HLT);
		return;
	case KVM_EXIT_INTR:
		vcpu_count_exit(vcpu, VCPU_EXIT_KICK);
		return;
	}
	vcpu_count_exit(vcpu, VCPU_EXIT_OTHER);
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
