// SPDX-License-Identifier: Apache-2.0
#include "vmm/vm.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "vmm/ioapic.h"
#include "vmm/virtio_mem.h"

static_assert(VM_LINES == IOAPIC_MAX_PINS, "a pin for each line");

/*
 * Intel without "unrestricted guest" needs four pages for itself. They lie between the APICs and
 * 4 GiB, where no guest has memory.
 */
#define IDENTITY_MAP_GPA 0xfffbc000ull
#define TSS_GPA          0xfffbd000ull

static int check_kvm(int kvm_fd, struct err *err)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_SPLIT_IRQCHIP, "in-kernel local APICs without an I/O APIC"},
		{KVM_CAP_USER_MEMORY, "user memory"},
		{KVM_CAP_SIGNAL_MSI, "message signalled interrupts"},
		{KVM_CAP_IOEVENTFD, "ioeventfd"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate exit"},
		{KVM_CAP_SET_TSS_ADDR, "a place for the TSS"},
		{KVM_CAP_SET_IDENTITY_MAP_ADDR, "a place for the identity map"},
	};
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return err_set_errno(err, errno, "kvm: this is not a KVM device");
	if (version != KVM_API_VERSION)
		return err_set(err, EOPNOTSUPP, "kvm: API version %d instead of %d", version,
			       KVM_API_VERSION);
	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return err_set(err, EOPNOTSUPP, "kvm: the host lacks %s", needed[i].name);
	return 0;
}

static int create_vm_fd(struct vm *vm, struct err *err)
{
	struct kvm_enable_cap pmu_off = {.cap = KVM_CAP_PMU_CAPABILITY,
					 .args = {KVM_PMU_CAP_DISABLE}};
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {VM_LINES}};
	uint64_t identity = IDENTITY_MAP_GPA;

	do
		vm->vm_fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, 0);
	while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0)
		return err_set_errno(err, errno, "kvm: KVM_CREATE_VM");
	if (ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, TSS_GPA) < 0)
		return err_set_errno(err, errno, "kvm: KVM_SET_TSS_ADDR");
	/* Before the first vCPU. Older hosts lack it; CPUID hides the counters in any case. */
	ioctl(vm->vm_fd, KVM_ENABLE_CAP, &pmu_off);
	/*
	 * The local APICs alone: of the rest the I/O APIC is ours (ioapic.h), nobody misses a PIC, and
	 * kvm-clock and the APIC's deadline timer leave nothing to ask a PIT for.
	 */
	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &split) < 0)
		return err_set_errno(err, errno, "kvm: KVM_CAP_SPLIT_IRQCHIP");
	return 0;
}

/* What the region has from offset on. */
static int add_slot(struct vm *vm, const struct memory_region *region, uint64_t offset)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->n_slots,
		.guest_phys_addr = region->gpa + offset,
		.memory_size = region->size - offset,
		.userspace_addr = (uintptr_t)region->host + offset,
	};

	if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return -errno;
	vm->n_slots++;
	return 0;
}

static int set_memory(struct vm *vm, struct err *err)
{
	for (unsigned i = 0; i < vm->mem.n_regions; i++) {
		int r = add_slot(vm, &vm->mem.regions[i], 0);

		if (r < 0)
			return err_set_errno(err, -r, "kvm: KVM_SET_USER_MEMORY_REGION");
	}
	return 0;
}

int vm_open_memory(struct vm *vm, uint64_t size)
{
	struct memory_region *region = &vm->mem.regions[vm->mem.n_regions - 1];
	uint64_t before = region->size;
	int r = memory_open(&vm->mem, size);

	if (r < 0 || size == before)
		return r;
	r = add_slot(vm, region, before);
	/* Ours, but not the guest's: then it is no guest memory to any device either. */
	if (r < 0)
		region->size = before;
	return r;
}

static int reserve_memory(struct vm *vm, uint64_t size, struct err *err)
{
	const struct memory_region *last = &vm->mem.regions[vm->mem.n_regions - 1];
	uint64_t granule = virtio_mem_granule(last->gpa + last->size);

	if (size < granule)
		return 0;
	vm->granule = granule;
	return memory_reserve(&vm->mem, size / granule * granule, granule, err);
}

int vm_create(int kvm_fd, uint64_t memory_size, uint64_t max_memory, struct vm **ret,
	      struct err *err)
{
	_cleanup_(vm_destroy_p) struct vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm) {
		close(kvm_fd);
		return err_set(err, ENOMEM, "vm: out of memory");
	}
	vm->kvm_fd = kvm_fd;
	vm->vm_fd = -1;
	pthread_mutex_init(&vm->end_lock, NULL);
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->end_fd < 0)
		return err_set_errno(err, errno, "vm: eventfd");
	r = check_kvm(kvm_fd, err);
	if (r < 0)
		return r;
	r = create_vm_fd(vm, err);
	if (r < 0)
		return r;
	r = memory_create(&vm->mem, memory_size, err);
	if (r < 0)
		return r;
	r = set_memory(vm, err);
	if (r == 0 && max_memory > memory_size)
		r = reserve_memory(vm, max_memory - memory_size, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(vm);
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	/* The memory goes last: KVM must not look at it any more. */
	close_fd(&vm->vm_fd);
	close_fd(&vm->kvm_fd);
	close_fd(&vm->end_fd);
	memory_destroy(&vm->mem);
	pthread_mutex_destroy(&vm->end_lock);
	free(vm);
}

int vm_add_ioeventfd(struct vm *vm, uint64_t gpa, unsigned len, bool match, uint32_t value, int fd)
{
	struct kvm_ioeventfd args = {
		.addr = gpa,
		.len = len,
		.fd = fd,
		.datamatch = value,
		.flags = match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0,
	};

	return ioctl(vm->vm_fd, KVM_IOEVENTFD, &args) < 0 ? -errno : 0;
}

static void signal_line(void *data, unsigned line)
{
	struct vm *vm = data;
	uint64_t message = atomic_load_explicit(&vm->messages[line], memory_order_acquire);
	struct kvm_msi msi = {.address_lo = (uint32_t)(message >> 32), .data = (uint32_t)message};

	/* What the guest wrote may lead to no CPU: then nobody hears it, as on hardware. */
	if (message && ioctl(vm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0)
		return;
}

struct irq vm_irq(struct vm *vm, unsigned line)
{
	assert(line < VM_LINES);
	return (struct irq){.raise = signal_line, .data = vm, .line = line};
}

void vm_set_message(struct vm *vm, unsigned line, const struct ioapic_message *message)
{
	uint64_t value = message->enabled ? (uint64_t)message->address << 32 | message->data : 0;

	atomic_store_explicit(&vm->messages[line], value, memory_order_release);
}

void vm_end(struct vm *vm, enum vm_end why, const char *fmt, ...)
{
	const uint64_t one = 1;
	va_list ap;

	pthread_mutex_lock(&vm->end_lock);
	if (!vm_ended(vm)) {
		va_start(ap, fmt);
		vsnprintf(vm->end_text, sizeof(vm->end_text), fmt, ap);
		va_end(ap);
		atomic_store_explicit(&vm->end, why, memory_order_release);
	}
	pthread_mutex_unlock(&vm->end_lock);
	/* A full counter is as good: it is readable. */
	if (write(vm->end_fd, &one, sizeof(one)) < 0)
		return;
}
